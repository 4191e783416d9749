/** Keeps the host names of all servers in force resolved, ahead of requests. */
import { isIP } from 'node:net'
import type { Resolver } from '../../dns/resolver.ts'
import { isSocketPath } from '../../model/server-url.ts'
import type { Backend } from '../../model/snapshot.ts'
import type { Publisher } from './publisher.ts'

export function keepNamesResolved(
  publisher: Pick<Publisher, 'listen'>,
  resolver: Pick<Resolver, 'hold' | 'release'>,
): void {
  const byBackend = new Map<string, ReadonlySet<string>>()

  function replace(backend: string, names: ReadonlySet<string>): void {
    const before = byBackend.get(backend) ?? NONE
    for (const name of names) if (!before.has(name)) resolver.hold(name)
    for (const name of before) if (!names.has(name)) resolver.release(name)
    if (names.size > 0) byBackend.set(backend, names)
    else byBackend.delete(backend)
  }

  publisher.listen({
    onPlaced({ upserts, deletes }) {
      for (const { object } of upserts.backends) replace(object.id, namesOf(object))
      for (const id of deletes.backends) replace(id, NONE)
    },
  })
}

const NONE: ReadonlySet<string> = new Set()

function namesOf({ servers }: Backend): ReadonlySet<string> {
  return new Set(
    servers.flatMap(({ host }) => (isIP(host) === 0 && !isSocketPath(host) ? [host] : [])),
  )
}
