/**
 * Traefik's labels to definitions. A router may use middlewares of other instances, so an instance is read in two steps: what
 * depends on nothing else once, its routers again whenever a middleware that they use is another one.
 */
import type { Problem } from '../../model/problem.ts'
import type { KeyEntry, Layout } from '../layout.ts'
import { createTraefikLayout, streamId } from '../layouts/traefik/layout.ts'
import { splitOrigin } from '../layouts/server-origin.ts'
import type { DeclaredObject } from '../provider.ts'
import { define, problemAt, type Definition } from './definition.ts'
import type { Labelled, LabelRules, LabelSourceKind } from './labelled.ts'
import { defineServer, namesBelow } from './server.ts'
import { toTraefikKeys, type ServiceServer } from './traefik-keys.ts'

/** What Traefik calls the provider of a source, the current name first. */
const PROVIDERS: Readonly<Record<LabelSourceKind, readonly string[]>> = {
  docker: ['docker'],
  swarm: ['swarm', 'docker'],
  consul: ['consulcatalog'],
  marathon: ['marathon'],
}

type Entries = readonly KeyEntry[]

/** The keys of one group. */
export interface SharedKeys {
  readonly entries: Entries
  /** Equal texts are the same keys. */
  readonly text: string
}

export interface TraefikReading {
  /** Backends, servers, and what is not supported. */
  readonly definitions: readonly Definition[]
  readonly problems: readonly Problem[]
  /** Keys that routers of any instance may need, by group of the layout. */
  readonly shared: ReadonlyMap<string, SharedKeys>
  /** `shared`: those of all instances. */
  routers(shared: ReadonlyMap<string, Entries>): readonly Definition[]
}

export interface TraefikReader {
  read(item: Labelled): TraefikReading
}

export function createTraefikReader(
  rules: Pick<LabelRules, 'defaultRule'> & { readonly kind: LabelSourceKind },
): TraefikReader {
  const layout = createTraefikLayout(...PROVIDERS[rules.kind])
  return { read: (item) => readInstance(item, layout, rules.defaultRule) }
}

const NONE: readonly never[] = []

function readInstance(item: Labelled, layout: Layout, defaultRule: string | null): TraefikReading {
  const { entries, services, tcpServices, problems } = toTraefikKeys(item, defaultRule)
  const groups = new Map<string, KeyEntry[]>()
  for (const entry of entries) {
    const group = layout.groupOf(entry.path)
    if (group === null) continue
    const known = groups.get(group)
    if (known === undefined) groups.set(group, [entry])
    else known.push(entry)
  }
  const routers = [...groups].filter(([group]) => ROUTERS.test(group))
  const shared = new Map(
    [...groups]
      .filter(([group]) => SHARED.test(group))
      .map(([group, keys]) => [group, { entries: keys, text: textOf(keys) }]),
  )
  const others = [...groups].filter(([group]) => !ROUTERS.test(group) && !SHARED.test(group))
  const own = others.flatMap(([, keys]) => layout.read(keys, () => NONE))
  const declared = new Set(own.map(({ kind, id }) => `${kind} ${id}`))
  return {
    definitions: [
      ...own.map((object) => redefine(object, item.key)),
      ...[...services].flatMap(([name, server]) => [
        ...(declared.has(`backend ${name}`) ? [] : [plainBackend(name, item.key)]),
        ...defineTraefikServer(item, name, server),
      ]),
      ...[...tcpServices].flatMap(([name, server]) => {
        const id = streamId(name)
        return [
          ...(declared.has(`backend ${id}`) ? [] : [plainBackend(id, item.key)]),
          ...defineStreamServer(item, name, server),
        ]
      }),
    ],
    problems: problems.map((message) => problemAt(item.key, message)),
    shared,
    routers: createRouterReader(layout, routers, item.key),
  }
}

const ROUTERS = /^(?:stream-)?router\//
const SHARED = /^(?:middleware|passhost|service-middlewares)\//

function textOf(entries: Entries): string {
  const texts = entries.map(({ path, text }) => JSON.stringify([path.toLowerCase(), text]))
  return texts.sort().join()
}

/** Keeps the last translation of the routers until a group that they were read from is another one. */
function createRouterReader(
  layout: Layout,
  routers: readonly (readonly [string, Entries])[],
  key: string,
): TraefikReading['routers'] {
  let read: readonly Definition[] | null = null
  /** The groups that they were read from. */
  let basis: readonly (readonly [string, Entries])[] = NONE
  return (shared) => {
    const isSame = basis.every(([group, keys]) => (shared.get(group) ?? NONE) === keys)
    if (read !== null && isSame) return read
    const used = new Map<string, Entries>()
    const objects = routers.flatMap(([, entries]) =>
      layout.read(entries, (group) => {
        const found = shared.get(group) ?? NONE
        used.set(group, found)
        return found
      }),
    )
    basis = [...used]
    read = objects.map((object) => redefine(object, key))
    return read
  }
}

/** The key of an object is its instance, not a label. */
function redefine(object: DeclaredObject, key: string): Definition {
  const { kind, id, value, fault, remarks, closed, secrets } = object
  return define({
    ...{ kind, name: id, key, value },
    ...(fault === undefined ? {} : { faults: [fault] }),
    ...(remarks === undefined ? {} : { remarks }),
    ...(closed === undefined ? {} : { closed }),
    ...(secrets === undefined ? {} : { secrets }),
    isDefault: kind === 'backend' && Object.keys(Object(value) as object).length === 0,
  })
}

function plainBackend(name: string, key: string): Definition {
  return define({ kind: 'backend', name, key, value: {}, isDefault: true })
}

function defineStreamServer(
  item: Labelled,
  service: string,
  { port, tls }: ServiceServer,
): readonly Definition[] {
  const names = namesBelow(`traefik.tcp.services.${service}.loadbalancer.server`)
  const scheme = /^(?:true|1|t)$/i.test(tls ?? '') ? 'tls' : 'tcp'
  return defineServer(item, streamId(service), { port, scheme, names, takesLowest: true })
}

function defineTraefikServer(
  item: Labelled,
  service: string,
  { port, scheme, url, weight }: ServiceServer,
): readonly Definition[] {
  // As in Traefik.
  if (weight === '0' || !item.isServing) return []
  const label = `traefik.http.services.${service}.loadbalancer.server`
  if (url === null) {
    const names = namesBelow(label)
    return defineServer(item, service, { port, scheme, weight, names, takesLowest: true })
  }
  const faults = [
    ...(port === null && scheme === null
      ? []
      : [`label ${label}.url excludes a port and a scheme`]),
    // Labels come with images of others, and Sluice may open the socket of the engine itself.
    ...(/^unix:/i.test(url)
      ? [`label ${label}.url must be an http or https url, not a socket`]
      : []),
  ]
  const value = {
    url: splitOrigin(url).url,
    ...(weight === null ? {} : { weight: Number(weight) }),
  }
  return [define({ kind: 'server', name: service, part: item.id, key: item.key, value, faults })]
}
