/** What registrations look like in a registry: one format for each layout, the counterpart of providers/layouts. */
import { bracketHost } from '../../model/address.ts'
import { refuseId } from '../../model/names.ts'
import { quote } from '../../model/parsed.ts'
import type { LayoutName } from '../../providers/layout.ts'
import { parseServer } from '../../schema/server.ts'
import type { Entry } from './link.ts'
import type { Registration } from './registrar.ts'

/** Those that a service can register itself in; the others declare routes, or belong to one program. */
export type RegistrarLayout = Extract<LayoutName, 'sluice' | 'nerve' | 'vulcand' | 'registrator'>

interface Format {
  readonly refuse: (registration: Registration) => string | null
  /** Below the prefix. */
  readonly pathOf: (registration: Registration) => string
  readonly textOf: (registration: Registration) => string
}

/** `isNumbered`: the registry numbers the keys of nerve's layout. */
export interface FormatOptions {
  readonly layout: RegistrarLayout
  readonly prefix: string
  readonly isNumbered: boolean
}

export function toEntry(
  registration: Registration,
  { layout, prefix, isNumbered }: FormatOptions,
): Entry {
  const { pathOf, textOf } = FORMATS[layout]
  const { service, id, path } = registration
  const isSequential = isNumbered && layout === 'nerve'
  const key = path === null ? `${prefix}/${pathOf(registration)}` : `${path}/${id}`
  return {
    name: `${service}/${id}`,
    registration,
    key: isSequential ? `${key}_` : key,
    text: textOf(registration),
    isSequential,
  }
}

/** Null: it can be written. */
export function refuseRegistration(
  registration: Registration,
  layout: RegistrarLayout,
): string | null {
  const { service, id, path, haproxyServerOptions } = registration
  if (layout !== 'nerve') {
    if (path !== null)
      return `the layout ${layout} has no path of its own for a service: leave it out`
    if (haproxyServerOptions !== null)
      return `haproxy_server_options are written in the layout nerve only, not ${layout}`
  }
  return refuseId(service) ?? refuseId(id) ?? FORMATS[layout].refuse(registration)
}

/** `http://10.0.0.5:8080`. */
export function urlOf({ scheme, host, port }: Registration): string {
  return `${scheme ?? 'http'}://${bracketHost(host)}:${port}`
}

/** A server in the form of Sluice's file. */
export function toServer(registration: Registration): Readonly<Record<string, unknown>> {
  const { weight, backup, labels } = registration
  return {
    url: urlOf(registration),
    ...(weight === null ? {} : weight === 0 ? { drain: true } : { weight }),
    ...(backup ? { backup } : {}),
    ...(Object.keys(labels).length === 0 ? {} : { labels }),
  }
}

export function refuseServer(registration: Registration): string | null {
  const parsed = parseServer(registration.id, toServer(registration))
  if (parsed.ok) return null
  return parsed.problems.map(({ message }) => message).join('; ')
}

const sluice: Format = {
  refuse: refuseServer,
  pathOf: ({ service, id }) => `backends/${service}/servers/${id}`,
  textOf: (registration) => JSON.stringify(toServer(registration)),
}

/** As nerve writes it; its name is the id of the instance. */
const nerve: Format = {
  refuse({ scheme, labels, backup, path }) {
    if (scheme !== null) {
      return 'the layout nerve has no scheme: leave it out, and set scheme at the source that reads it'
    }
    if (backup) return 'the layout nerve has no backup: write haproxy_server_options: backup'
    const isPath = path === null || (path.length <= 512 && /^\/[^\s\p{C}]*[^/\s\p{C}]$/u.test(path))
    if (!isPath) return `its path must begin with a slash and not end in one, not ${quote(path)}`
    if (path !== null && path.includes('//')) return `its path ${quote(path)} has an empty part`
    return refuseMany(labels)
  },
  pathOf: ({ service, id }) => `${service}/${id}`,
  textOf({ id, host, port, weight, haproxyServerOptions, labels }) {
    return JSON.stringify({
      ...{ host, port, name: id },
      ...(weight === null ? {} : { weight }),
      ...(haproxyServerOptions === null ? {} : { haproxy_server_options: haproxyServerOptions }),
      ...(Object.keys(labels).length === 0 ? {} : { labels }),
    })
  },
}

const vulcand: Format = {
  refuse(registration) {
    const { scheme, weight, backup, labels } = registration
    if (scheme !== null && scheme !== 'http' && scheme !== 'https') {
      return `the layout vulcand has servers of http and https only, not ${scheme}`
    }
    const has = [
      ...(weight === null || weight === 1 ? [] : ['weight']),
      ...(backup ? ['backup'] : []),
      ...(Object.keys(labels).length === 0 ? [] : ['labels']),
    ]
    if (has.length > 0) return `the layout vulcand has a URL alone: leave out ${has.join(', ')}`
    return refuseServer(registration)
  },
  pathOf: sluice.pathOf,
  textOf: (registration) => JSON.stringify({ URL: urlOf(registration) }),
}

/** `10.0.0.5:8080`, of containers. */
const registrator: Format = {
  refuse({ scheme, weight, backup, labels }) {
    const has = [
      ...(scheme === null ? [] : ['scheme']),
      ...(weight === null ? [] : ['weight']),
      ...(backup ? ['backup'] : []),
      ...(Object.keys(labels).length === 0 ? [] : ['labels']),
    ]
    return has.length === 0
      ? null
      : `the layout registrator has an address alone: leave out ${has.join(', ')}`
  },
  pathOf: ({ service, id }) => `${service}/${id}`,
  textOf: ({ host, port }) => `${bracketHost(host)}:${port}`,
}

const FORMATS: Readonly<Record<RegistrarLayout, Format>> = { sluice, nerve, vulcand, registrator }
export const REGISTRAR_LAYOUTS: readonly RegistrarLayout[] = Object.keys(
  FORMATS,
) as RegistrarLayout[]

const MAX_LABELS = 100
const MAX_LABEL_CHARS = 4_096

function refuseMany(labels: Registration['labels']): string | null {
  const entries = Object.entries(labels)
  if (entries.length > MAX_LABELS) return `has ${entries.length} labels, at most ${MAX_LABELS} fit`
  const long = entries.find(([name, text]) => name.length + text.length > MAX_LABEL_CHARS)
  return long === undefined ? null : `its label ${quote(long[0])} is longer than ${MAX_LABEL_CHARS}`
}
