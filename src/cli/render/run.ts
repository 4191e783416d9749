/** Runs `sluice render`: the templates of confd's folders, once or until a signal; or one template, printed. */
import type { Client } from '../../client/client.ts'
import { messageOf } from '../../model/error-message.ts'
import { isMap } from '../../model/parsed.ts'
import type { ReadPem } from '../../model/certificate.ts'
import type { Resolver } from '../../dns/resolver.ts'
import { readResources } from '../../rendering/confd/resources.ts'
import { createRendering, type Rendering } from '../../rendering/rendering.ts'
import { withFiles } from '../../rendering/with-files.ts'
import { createAnswerer } from '../../rendering/answers.ts'
import { createTextMaker } from '../../rendering/text-maker.ts'
import { readTemplate } from '../../rendering/template-text.ts'
import type { TableView } from '../../template/table-functions.ts'
import { reasonOf } from '../admin-client.ts'
import {
  type ConfdSettings,
  type ConfdWorld,
  type Level,
  LEVELS,
  resolveConfd,
} from './confd-settings.ts'
import type { ConfdFlags } from './words.ts'

export interface RenderWorld extends ConfdWorld {
  readonly names: Resolver
  readonly readPem: ReadPem
  /** Resolves with the signal that ends the run. */
  readonly stop: Promise<unknown>
  readonly complain: (line: string) => void
}

/** How long a run of one time waits for the registry. */
const KEYS_WITHIN_MS = 10_000

/** Returns the exit code. */
export async function runRender(flags: ConfdFlags, world: RenderWorld): Promise<0 | 1> {
  const { complain } = world
  let rendering: Rendering | null = null
  try {
    const settings = resolveConfd(flags, world)
    const refused: string[] = []
    rendering = open(settings, world, refused)
    if (!settings.isOnce) {
      rendering.start()
      await world.stop
      return 0
    }
    const failures = await orStopped(rendering.renderOnce(KEYS_WITHIN_MS), world)
    return failures.size > 0 || refused.length > 0 ? 1 : 0
  } catch (error) {
    complain(`sluice: ${messageOf(error)}`)
    return 1
  } finally {
    await rendering?.stop()
  }
}

/** Rejects if a signal comes sooner. */
async function orStopped<T>(work: Promise<T>, { stop }: Pick<RenderWorld, 'stop'>): Promise<T> {
  const stopped = stop.then(() => {
    throw new Error('a signal has ended it before all was rendered')
  })
  return Promise.race([work, stopped])
}

/** Throws if nothing can be rendered. */
function open(settings: ConfdSettings, world: RenderWorld, refused: string[]): Rendering {
  const { isWatching, intervalMs, level, remarks } = settings
  const log = createLineLog(level, world.complain)
  const resources = readResources({ ...settings, intervalMs: isWatching ? null : intervalMs })
  for (const remark of [...remarks, ...resources.remarks]) log.warn({}, remark)
  for (const problem of resources.problems) log.error({}, problem)
  refused.push(...resources.problems)
  const templates = withFiles(resources.templates, world.readPem, ({ name }, reason) => {
    refused.push(reason)
    log.error({}, `template ${name} is not rendered: ${reason}`)
  })
  if (templates.length === 0)
    throw new Error(`there is nothing to render in ${settings.confdir}/conf.d`)
  return createRendering({
    ...{ templates, log, table: null },
    ...{ resolver: world.names, resolverSettings: world.resolver },
    isPolling: !isWatching,
  })
}

/** Prints the template over the table of a running Sluice. */
export async function printTemplate(
  path: string,
  client: Client,
  world: Pick<RenderWorld, 'names' | 'resolver' | 'complain' | 'stop'>,
  write: (text: string) => void,
): Promise<0 | 1> {
  const maker = createTextMaker()
  const { names, resolver, complain } = world

  async function makeText(): Promise<string> {
    const template = readTemplate({ text: { path } })
    const { body } = await client.request({ method: 'GET', path: '/api/templates/table' })
    const answerer = createAnswerer(names, resolver)
    const data = { keys: null, table: toTable(body) }
    return (await maker.make(template, data, (one) => answerer.answer(one, null))).text
  }

  try {
    write(await orStopped(makeText(), world))
    return 0
  } catch (error) {
    complain(`sluice: ${reasonOf(error)}`)
    return 1
  } finally {
    await maker.close()
  }
}

function toTable(body: unknown): TableView {
  const { backends, frontends, listeners } = isMap(body) ? body : {}
  if (![backends, frontends, listeners].every(Array.isArray))
    throw new Error('the admin responds with something that is no table')
  return { backends, frontends, listeners } as TableView
}

type Write = (fields: object, message: string) => void

/** A line for people on standard error. */
function createLineLog(
  least: Level,
  complain: (line: string) => void,
): Readonly<Record<Level, Write>> {
  const writer = (level: Level): Write =>
    LEVELS.indexOf(level) < LEVELS.indexOf(least)
      ? () => {}
      : (_fields, message) => complain(`${level}: ${message}`)
  return {
    debug: writer('debug'),
    info: writer('info'),
    warn: writer('warn'),
    error: writer('error'),
  }
}
