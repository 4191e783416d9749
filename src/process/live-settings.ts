/**
 * Settings of a file that is edited while the program runs. Some take effect: the level of the log, the trusted peers, the
 * tokens of the admin, the time of a drain, templates. The others are fixed at start (threads, ports, sources ...): while the file
 * differs from what is in force, a problem in the log and in /api/table says so.
 */
import { isEqual } from '../model/equal.ts'
import { formatAddress } from '../model/address.ts'
import type { WrittenSettings } from '../document/document.ts'
import type { Problem } from '../model/problem.ts'
import type { ResolvedSettings } from '../schema/resolve-settings.ts'
import type { Settings } from '../model/settings.ts'
import type { Log } from '../observe/log.ts'

export interface LiveSettings {
  /** The settings in force. */
  current(): Settings
  /** Takes the settings of a changed file. Returns why some of them are not in force. */
  take(written: WrittenSettings): readonly Problem[]
}

export interface LiveSettingsOptions {
  readonly filename: string
  /** The settings at start. */
  readonly started: ResolvedSettings
  /** Adds flags and environment variables, which have precedence over the file. */
  readonly resolve: (written: WrittenSettings) => ResolvedSettings
  /** `current` has changed. */
  readonly onChange: (settings: Settings) => void
  readonly log: Pick<Log, 'info'>
}

type Path = readonly [string, ...string[]]

interface Fixed {
  readonly path: Path
  readonly of: (settings: Settings) => unknown
  /** The difference, for people. It never contains a password. */
  readonly describe: (written: Settings, running: Settings) => string
}

const FIXED: readonly Fixed[] = [
  fixed(['workers'], ({ workers }) => workers),
  fixed(['admin', 'address'], ({ admin }) => formatAddress(admin.address)),
  fixed(['admin', 'hosts'], ({ admin }) => admin.hosts),
  fixed(['admin', 'socket'], ({ admin }) => admin.socket ?? 'none'),
  fixed(['admin', 'write'], ({ admin }) => admin.write ?? 'none'),
  {
    path: ['admin', 'tls'],
    of: ({ admin }) => admin.tls,
    describe: () => 'it is written otherwise',
  },
  fixed(['routing', 'order'], ({ routing }) => routing.order),
  fixed(['errors', 'form'], ({ errors }) => errors.form),
  fixed(['log', 'access'], ({ log }) => log.access),
  fixed(['log', 'path'], ({ log }) => log.path ?? 'stdout'),
  fixed(['data'], ({ data }) => data),
  { path: ['resolver'], of: ({ resolver }) => resolver, describe: () => 'it is written otherwise' },
  {
    path: ['tls', 'ticketSecret'],
    of: ({ ticketSecret }) => ticketSecret,
    describe: () => 'another one is written',
  },
  { path: ['acme'], of: ({ acme }) => acme, describe: () => 'it is written otherwise' },
  { path: ['statsd'], of: ({ statsd }) => statsd, describe: () => 'it is written otherwise' },
  { path: ['sources'], of: ({ sources }) => sources, describe: describeSources },
]

function fixed(path: Path, of: (settings: Settings) => unknown): Fixed {
  const show = (settings: Settings): string => JSON.stringify(of(settings))
  return {
    path,
    of,
    describe: (written, running) => `${show(written)} is written, ${show(running)} is in force`,
  }
}

export function createLiveSettings(options: LiveSettingsOptions): LiveSettings {
  const { filename, started, resolve, onChange, log } = options
  let current = started.settings
  const known = new Set(started.problems.map(identityOf))

  function keyOf(path: Path): string {
    return `${filename}#/${path.join('/')}`
  }

  function take(written: WrittenSettings): readonly Problem[] {
    const { settings, problems } = resolve(written)
    // A problem may concern a part of the setting, or what the setting is a part of.
    const isBad = (path: Path): boolean => {
      const key = `${keyOf(path)}/`
      return problems.some((one) => key.startsWith(`${one.key}/`) || one.key.startsWith(key))
    }
    // A setting with a problem leaves the one before in force.
    change({
      ...current,
      admin: {
        ...current.admin,
        tokens: isBad(['admin', 'tokens']) ? current.admin.tokens : settings.admin.tokens,
        anonymous: isBad(['admin', 'anonymous'])
          ? current.admin.anonymous
          : settings.admin.anonymous,
      },
      log: isBad(['log', 'level']) ? current.log : { ...current.log, level: settings.log.level },
      trusted: isBad(['trusted']) ? current.trusted : settings.trusted,
      drainMs: isBad(['drain']) ? current.drainMs : settings.drainMs,
      templates: isBad(['templates']) ? current.templates : settings.templates,
    })
    const waiting = FIXED.filter(
      ({ path, of }) => !isBad(path) && !isEqual(of(settings), of(current)),
    )
    return [
      ...problems.filter((problem) => !known.has(identityOf(problem))),
      ...waiting.map(({ path, describe }): Problem => {
        const message = `${path.join('.')}: needs a restart: ${describe(settings, current)}`
        const place = written.locateSetting(path)
        return { kind: 'settings', id: '', message, source: 'file', key: keyOf(path), ...place }
      }),
    ]
  }

  function change(next: Settings): void {
    if (isEqual(next, current)) return
    const before = current
    current = next
    onChange(next)
    if (next.log.level !== before.log.level)
      log.info({ level: next.log.level }, 'log.level has changed')
    if (!isEqual(next.trusted, before.trusted))
      log.info({ trusted: next.trusted }, 'trusted has changed')
    if (!isEqual(next.admin, before.admin)) {
      const names = next.admin.tokens.map(({ name, role }) => `${name} (${role})`)
      const anonymous = next.admin.anonymous ?? 'default'
      log.info({ tokens: names, anonymous }, 'who may use the admin has changed')
    }
    if (next.drainMs !== before.drainMs) log.info({ drainMs: next.drainMs }, 'drain has changed')
    if (!isEqual(next.templates, before.templates)) {
      log.info({ templates: next.templates.map(({ name }) => name) }, 'templates has changed')
    }
  }

  return { current: () => current, take }
}

function describeSources({ sources: written }: Settings, { sources: running }: Settings): string {
  const names = (list: Settings['sources']): string => list.map(({ name }) => name).join(', ')
  if (names(written) !== names(running)) {
    return `${names(written) || 'none'} is written, ${names(running) || 'none'} is followed`
  }
  const other = written.filter((source, at) => !isEqual(source, running[at]))
  return `${names(other)} is written otherwise than it is followed`
}

function identityOf({ key, message }: Problem): string {
  return JSON.stringify([key, message])
}
