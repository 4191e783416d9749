/**
 * Traefik's labels of one instance as the keys of its tree, which providers/layouts/traefik translates:
 * `traefik.http.routers.shop.rule` is `http/routers/shop/rule`. What Traefik adds by itself is added here: the service of an
 * instance without one, its router, the rule and the service of a router.
 */
import { quote } from '../../model/parsed.ts'
import type { KeyEntry } from '../layout.ts'
import { fillDefaultRule, normalizeName } from './default-rule.ts'
import type { Labelled } from './labelled.ts'

const PREFIX = 'traefik.'
/** Read by the source, or of no meaning here. */
const OF_INSTANCE = ['enable', 'docker', 'swarm', 'consulcatalog', 'marathon', 'tags']
const OF_VERSION_1 = ['frontend', 'backend', 'port', 'protocol', 'weight', 'frontends', 'backends']
const DEFAULT_RULE = 'Host(`{name}`)'

const MAX_LABELS = 2_000
const MAX_NAME = 512
const MAX_TEXT = 65_536
const MAX_PROBLEMS = 20
/** Names in one message, and messages of one kind. */
const MAX_SHOWN = 10

export interface TraefikKeys {
  readonly entries: readonly KeyEntry[]
  /** Each has a server in this instance. */
  readonly services: ReadonlyMap<string, ServiceServer>
  readonly tcpServices: ReadonlyMap<string, ServiceServer>
  /** Labels that declare nothing, and why. */
  readonly problems: readonly string[]
}

/** `loadbalancer.server` of a service; null: not written. */
export interface ServiceServer {
  readonly port: string | null
  readonly scheme: string | null
  readonly url: string | null
  readonly weight: string | null
  /** Of a TCP service. */
  readonly tls: string | null
}

/** Whether any label is Traefik's, in any case, except for the switch and the options of a source. */
export function hasTraefikLabels(labels: ReadonlyMap<string, string>): boolean {
  for (const name of labels.keys()) {
    const first = firstOf(name)
    if (first !== null && !OF_INSTANCE.includes(first)) return true
  }
  return false
}

/** `http` of `Traefik.HTTP.routers...`; null: the label is not one of Traefik's. */
function firstOf(label: string): string | null {
  if (label.slice(0, PREFIX.length).toLowerCase() !== PREFIX) return null
  return label.slice(PREFIX.length).split(/[.[]/, 1)[0]?.toLowerCase() ?? ''
}

export function toTraefikKeys(
  { labels, service }: Pick<Labelled, 'labels' | 'service'>,
  defaultRule: string | null,
): TraefikKeys {
  const { entries, servers, tcpServers, problems } = collect(labels)
  const tcpServices = completeTcp(entries, tcpServers, normalizeName(service), problems)
  const services = namesOf(entries, 'http/services')
  for (const name of servers.keys()) services.add(name)
  const routers = namesOf(entries, 'http/routers')
  const hasHttp = services.size + routers.size + namesOf(entries, 'http/middlewares').size > 0
  const isStream =
    tcpServices.size > 0 ||
    entries.some(({ path }) => /^(?:tcp|udp)\/(?:routers|services)\//i.test(path))
  // As in Traefik: with a TCP router there is no HTTP router by default.
  if (!hasHttp && isStream) return { entries, services: new Map(), tcpServices, problems }

  const own = normalizeName(service)
  if (services.size === 0) services.add(own)
  if (routers.size === 0 && services.size === 1) routers.add(own)
  const shown = [...services].slice(0, MAX_SHOWN).join(', ')
  if (routers.size === 0) problems.push(`has the services ${shown} and no router, so none is made`)
  const { written, hasText } = indexOf(entries)
  const rule = fillDefaultRule(defaultRule ?? DEFAULT_RULE, service)
  const homeless: string[] = []
  for (const router of routers) {
    const add = (member: string, text: string): void => {
      const path = `http/routers/${router}/${member}`
      const key = `${PREFIX}http.routers.${router}.${member}`
      if (!hasText(path)) written.push({ path, key, text })
    }
    add('rule', rule)
    const [only] = services
    if (only !== undefined && services.size === 1) add('service', only)
    else if (!hasText(`http/routers/${router}/service`)) homeless.push(router)
  }
  for (const router of homeless.slice(0, MAX_SHOWN)) {
    problems.push(`router ${quote(router)} names none of the services ${shown}`)
  }
  return {
    entries: written,
    services: new Map([...services].map((name) => [name, serverOf(servers.get(name))])),
    tcpServices,
    problems,
  }
}

/** As in Traefik: a TCP router without a service has the only one there is, by default that of the instance. */
function completeTcp(
  entries: KeyEntry[],
  servers: Collected['servers'],
  own: string,
  problems: string[],
): ReadonlyMap<string, ServiceServer> {
  const routers = namesOf(entries, 'tcp/routers')
  const services = new Set([...namesOf(entries, 'tcp/services'), ...servers.keys()])
  if (services.size === 0 && routers.size > 0) services.add(own)
  const [only = own] = services
  const { hasText } = indexOf(entries)
  for (const router of routers) {
    const path = `tcp/routers/${router}/service`
    if (hasText(path)) continue
    if (services.size === 1)
      entries.push({ path, key: `${PREFIX}tcp.routers.${router}.service`, text: only })
    else {
      const shown = [...services].slice(0, MAX_SHOWN).join(', ')
      problems.push(`tcp router ${quote(router)} names none of the services ${shown}`)
    }
  }
  return new Map([...services].map((name) => [name, serverOf(servers.get(name))]))
}

interface Collected {
  readonly entries: KeyEntry[]
  /** The members of `loadbalancer.server`, in lower case, by service. */
  readonly servers: ReadonlyMap<string, ReadonlyMap<string, string>>
  readonly tcpServers: ReadonlyMap<string, ReadonlyMap<string, string>>
  readonly problems: string[]
}

function collect(labels: ReadonlyMap<string, string>): Collected {
  const entries: KeyEntry[] = []
  const servers = new Map<string, Map<string, string>>()
  const tcpServers = new Map<string, Map<string, string>>()
  const problems: string[] = []
  let old = 0
  let read = 0
  for (const [label, text] of labels) {
    const first = firstOf(label)
    if (first === null || OF_INSTANCE.includes(first)) continue
    if (OF_VERSION_1.includes(first)) old += 1
    const steps = stepsOf(label)
    read += 1
    if (steps === null || read > MAX_LABELS || text.length > MAX_TEXT) {
      if (!OF_VERSION_1.includes(first)) problems.push(`label ${quote(label)} is not known`)
      continue
    }
    const [protocol, , service = '', , , member] = steps
    if (isOfServer(steps)) {
      const of = protocol === 'tcp' ? tcpServers : servers
      const known = of.get(service) ?? new Map<string, string>()
      of.set(service, known.set((member ?? '').toLowerCase(), text.trim()))
    } else entries.push({ path: steps.join('/'), key: label, text })
  }
  if (old > 0) problems.unshift('has labels of Traefik 1, which are not read')
  if (problems.length > MAX_PROBLEMS) {
    const left = problems.length - MAX_PROBLEMS
    problems.splice(MAX_PROBLEMS, left, `and ${left} more labels are not known`)
  }
  return { entries, servers, tcpServers, problems }
}

const SECTIONS =
  /^(?:http\/(?:routers|services|middlewares)|(?:tcp|udp)\/(?:routers|services|middlewares))$/

/** `['http', 'routers', 'shop', 'rule']`; null: it is no such path. */
function stepsOf(label: string): readonly string[] | null {
  if (label.length > MAX_NAME) return null
  const steps = label
    .slice(PREFIX.length)
    .replace(/\[(\d{1,4})\]/g, '.$1')
    .split('.')
  if (steps.length < 4 || steps.some((step) => step === '' || step.includes('/'))) return null
  const [protocol = '', section = '', ...rest] = steps
  const sort = [protocol.toLowerCase(), section.toLowerCase()]
  return SECTIONS.test(sort.join('/')) ? [...sort, ...rest] : null
}

function isOfServer([protocol, section, , third, fourth, member]: readonly string[]): boolean {
  return (
    (protocol === 'http' || protocol === 'tcp') &&
    section === 'services' &&
    third?.toLowerCase() === 'loadbalancer' &&
    fourth?.toLowerCase() === 'server' &&
    member !== undefined
  )
}

function namesOf(entries: readonly KeyEntry[], below: string): Set<string> {
  const names = entries.flatMap(({ path }) =>
    path.startsWith(`${below}/`) ? (path.split('/')[2] ?? []) : [],
  )
  return new Set(names)
}

/** Without empty rules and services, which are as none. `hasText`: by the path in any case. */
function indexOf(entries: readonly KeyEntry[]): {
  readonly written: KeyEntry[]
  readonly hasText: (path: string) => boolean
} {
  const isDefault = ({ path, text }: KeyEntry): boolean =>
    text?.trim() === '' && /^http\/routers\/[^/]*\/(?:rule|service)$/i.test(path)
  const written = entries.filter((entry) => !isDefault(entry))
  const paths = new Set(written.map(({ path }) => path.toLowerCase()))
  return { written, hasText: (path) => paths.has(path.toLowerCase()) }
}

function serverOf(members: ReadonlyMap<string, string> | undefined): ServiceServer {
  const of = (name: string): string | null => members?.get(name) || null
  return {
    ...{ port: of('port'), scheme: of('scheme'), url: of('url'), weight: of('weight') },
    tls: of('tls'),
  }
}
