/** Where the keys of a prefix live: one Redis, or in a cluster the master of their slot, or without a hash tag all masters. */
import type { RedisSource } from '../../model/source-spec.ts'
import { RedisFailure, toFailure } from './failure.ts'
import { openLink } from './link.ts'
import type { Link, LinkOptions } from './link.ts'
import type { KeyNames } from './names.ts'

/** A link to each; of several endpoints, the first that answers. */
export async function openHomes(
  spec: RedisSource,
  names: KeyNames,
  options: LinkOptions,
): Promise<readonly Link[]> {
  const first = await openFirst(spec, options)
  if (!spec.cluster) return [first]
  try {
    const addresses = await findMasters(first, names)
    const links: Link[] = []
    try {
      for (const address of addresses) links.push(await openMaster(spec, address, options))
    } catch (error) {
      for (const link of links) link.close()
      throw error
    }
    return links
  } finally {
    first.close()
  }
}

async function openFirst(spec: RedisSource, options: LinkOptions): Promise<Link> {
  const failures: Error[] = []
  for (const endpoint of spec.endpoints) {
    if (options.signal?.aborted === true) break
    try {
      return await openLink(spec, endpoint, options)
    } catch (error) {
      failures.push(toFailure(error, `cannot reach Redis at ${endpoint}`))
    }
  }
  const [only] = failures
  if (only !== undefined && failures.length === 1) throw only
  throw new RedisFailure(failures.map(({ message }) => message).join('; '))
}

async function openMaster(spec: RedisSource, address: string, options: LinkOptions): Promise<Link> {
  const link = await openLink(spec, address, options)
  try {
    const info = String(await link.redis.cluster('INFO'))
    if (info.includes('cluster_state:ok')) return link
    throw new RedisFailure(`the Redis cluster at ${address} is down: not all of its slots are held`)
  } catch (error) {
    link.close()
    throw toFailure(error, `cannot ask Redis at ${address} about its cluster`)
  }
}

async function findMasters(seed: Link, names: KeyNames): Promise<readonly string[]> {
  try {
    const slot = names.isTagged ? Number(await seed.redis.cluster('KEYSLOT', names.log)) : null
    const masters = new Set<string>()
    for (const range of toList(await seed.redis.cluster('SLOTS'))) {
      const [from, to, master] = toList(range)
      const [host, port] = toList(master)
      // A node that does not know its own name yet says nothing: it is the one that was asked.
      const isUnknown = host === null || host === '' || host === '?'
      const address = isUnknown ? seed.where : joinAddress(String(host), Number(port))
      if (slot === null || (slot >= Number(from) && slot <= Number(to))) masters.add(address)
    }
    if (masters.size === 0) throw new RedisFailure(`the cluster at ${seed.where} holds no slot`)
    return [...masters]
  } catch (error) {
    throw toFailure(error, `cannot ask Redis at ${seed.where} for its cluster`)
  }
}

function toList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

function joinAddress(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
