/**
 * `resolve: all`: each address of a server's name becomes a server of its own, between admission and publication. The threads, the
 * health monitor and the scoreboard see ordinary servers at addresses, so that nothing on the path of a request is concerned
 * with names.
 *
 *   not resolved yet          the server stays as it is declared: requests wait for the first lookup
 *   resolved                  a server for each address; a change of the records publishes the backends of that name alone
 *   lookups fail              the last addresses stay
 *   gone (resolver.hold)      DNS has had no address for it for that long: no server
 *
 * A name with addresses of both families stands for its IPv4 ones: mostly both are the same servers.
 */
import { isIP, isIPv4 } from 'node:net'
import type { Resolver } from '../../dns/resolver.ts'
import { bracketHost } from '../../model/address.ts'
import { isEqual } from '../../model/equal.ts'
import type { Problem } from '../../model/problem.ts'
import { hostnameOf, isSocketPath } from '../../model/server-url.ts'
import type { Backend, Server } from '../../model/snapshot.ts'
import type { Objects } from './diff.ts'
import type { Publisher } from './publisher.ts'

/** Of one name: further addresses are no servers. */
export const MAX_ADDRESSES = 1000

export interface NameExpansion {
  /** As the publisher's, for objects as they are admitted. */
  readonly publish: Publisher['publish']
  /** Names whose last addresses are held or gone, or that have too many or the same addresses. */
  problems(): readonly Problem[]
  /** Calls `changed` when these may have changed without a publication. */
  onProblems(changed: () => void): void
}

interface ExpandedBackend {
  readonly declared: Backend
  readonly names: ReadonlySet<string>
  readonly published: Backend
  readonly problems: readonly Problem[]
}

type Names = Pick<Resolver, 'watch' | 'unwatch' | 'listen' | 'report'>

export function createNameExpansion(
  publisher: Pick<Publisher, 'publish'>,
  resolver: Names,
  now: () => number,
): NameExpansion {
  /** Backends with a server of `resolve: all`. */
  const expanded = new Map<string, ExpandedBackend>()
  const backendsOf = new Map<string, Set<string>>()
  let latest: Objects | null = null
  let reportProblems = (): void => {}

  function follow(id: string, declared: Backend | undefined): void {
    const before = expanded.get(id)
    const names = declared === undefined ? NONE : expandedNames(declared)
    for (const name of names) if (before?.names.has(name) !== true) hold(name, id)
    for (const name of before?.names ?? NONE) if (!names.has(name)) release(name, id)
    if (declared === undefined || names.size === 0) expanded.delete(id)
    else expanded.set(id, expand(declared, names, resolver))
  }

  function hold(name: string, backend: string): void {
    const backends = backendsOf.get(name) ?? new Set()
    backendsOf.set(name, backends.add(backend))
    resolver.watch(name)
  }

  function release(name: string, backend: string): void {
    const backends = backendsOf.get(name)
    backends?.delete(backend)
    if (backends?.size === 0) backendsOf.delete(name)
    resolver.unwatch(name)
  }

  /** Returns the backends whose servers changed. */
  function expandAgain(name: string): readonly string[] {
    return [...(backendsOf.get(name) ?? NONE)].filter((id) => {
      const before = expanded.get(id)
      if (before === undefined) return false
      const after = expand(before.declared, before.names, resolver)
      const isChanged = !isEqual(before.published.servers, after.published.servers)
      expanded.set(id, isChanged ? after : { ...after, published: before.published })
      return isChanged
    })
  }

  resolver.listen((changes) => {
    const followed = changes.filter(({ name }) => backendsOf.has(name))
    if (followed.length === 0) return
    const backends = new Set(followed.flatMap(({ name }) => expandAgain(name)))
    reportProblems()
    if (latest === null || backends.size === 0) return
    publisher.publish(latest, now(), { listeners: NONE, backends, frontends: NONE })
  })

  return {
    publish(snapshot, changedAt, changed) {
      for (const id of changed.backends) follow(id, snapshot.backends.get(id))
      const { listeners, backends, frontends } = snapshot
      const get = (id: string): Backend | undefined =>
        expanded.get(id)?.published ?? backends.get(id)
      latest = { listeners, backends: { get }, frontends }
      return publisher.publish(latest, changedAt, changed)
    },
    problems: () => [...expanded.values()].flatMap(({ problems }) => problems),
    onProblems: (changed) => void (reportProblems = changed),
  }
}

const NONE: ReadonlySet<string> = new Set()

function expandedNames(backend: Backend): ReadonlySet<string> {
  const names = new Set<string>()
  for (const server of backend.servers) if (isExpanded(server, backend)) names.add(server.host)
  return names
}

function isExpanded({ host, resolve }: Server, backend: Backend): boolean {
  return (resolve ?? backend.resolve) === 'all' && isIP(host) === 0 && !isSocketPath(host)
}

function expand(
  declared: Backend,
  names: ReadonlySet<string>,
  resolver: Pick<Resolver, 'report'>,
): ExpandedBackend {
  const messages: string[] = []
  // A server that is declared by its address comes before the same address of a name.
  const literal = declared.servers.filter((server) => !isExpanded(server, declared))
  const byUrl = new Map(literal.map((server) => [server.url, server]))
  for (const server of declared.servers) {
    if (!isExpanded(server, declared)) continue
    for (const one of serversOf(server, resolver, messages)) {
      const holder = byUrl.get(one.url)
      if (holder === undefined) byUrl.set(one.url, one)
      else messages.push(`${one.url} of ${server.host} is already the server "${holder.id}"`)
    }
  }
  const problems = messages.map((message): Problem => {
    return { kind: 'backend', level: 'warning', id: declared.id, message, source: '', key: 'names' }
  })
  return { declared, names, problems, published: { ...declared, servers: [...byUrl.values()] } }
}

function serversOf(
  server: Server,
  resolver: Pick<Resolver, 'report'>,
  messages: string[],
): readonly Server[] {
  const report = resolver.report(server.host)
  if (report === null || report.addresses.length === 0) return [server]
  const { name, gone, lastFailure } = report
  if (gone) {
    messages.push(
      `${name} has no address any more and stands for no server: ${lastFailure?.reason}`,
    )
    return []
  }
  if (report.failing) {
    const stay = `its ${report.addresses.length} last addresses stay in force`
    messages.push(`${name} cannot be resolved: ${lastFailure?.reason}; ${stay}`)
  }
  const v4 = report.addresses.filter((address) => isIPv4(address))
  const all = v4.length > 0 ? v4 : report.addresses
  if (all.length > MAX_ADDRESSES) {
    messages.push(
      `${name} has ${all.length} addresses, of which the first ${MAX_ADDRESSES} are used`,
    )
  }
  return all.slice(0, MAX_ADDRESSES).map((address) => serverAt(address, server))
}

/** `web@10.0.0.7`. Weight, labels and the rest are those of the declared server. */
function serverAt(address: string, server: Server): Server {
  const { resolve: _, ...rest } = server
  const { scheme, port } = server
  const suffix = `@${address}`
  return {
    ...rest,
    id: server.id.slice(0, MAX_ID - suffix.length) + suffix,
    url: `${scheme}://${bracketHost(address)}:${port}`,
    host: address,
    name: server.host,
    hostname: hostnameOf(server),
  }
}

/** See model/names.ts. */
const MAX_ID = 128
