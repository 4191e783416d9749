/** The servers that hold the keys of a prefix: one Redis; in a cluster the master of their slot, or without a hash tag all masters. */
import type { RedisAccess } from './source.ts'
import { RedisFailure, toFailure } from './failure.ts'
import { openConnection } from './connection.ts'
import type { RedisConnection, RedisConnectionOptions } from './connection.ts'
import type { KeyNames } from './key-names.ts'

/** A connection to each node. Of several endpoints, the first that can be reached. */
export async function openNodes(
  spec: RedisAccess,
  names: KeyNames,
  options: RedisConnectionOptions,
): Promise<readonly RedisConnection[]> {
  const first = await openFirst(spec, options)
  if (!spec.cluster) return [first]
  try {
    const addresses = await findMasters(first, names)
    const connections: RedisConnection[] = []
    try {
      for (const address of addresses) connections.push(await openMaster(spec, address, options))
    } catch (error) {
      for (const connection of connections) connection.close()
      throw error
    }
    return connections
  } finally {
    first.close()
  }
}

async function openFirst(
  spec: RedisAccess,
  options: RedisConnectionOptions,
): Promise<RedisConnection> {
  const failures: Error[] = []
  for (const endpoint of spec.endpoints) {
    if (options.signal?.aborted === true) break
    try {
      return await openConnection(spec, endpoint, options)
    } catch (error) {
      failures.push(toFailure(error, `cannot reach Redis at ${endpoint}`))
    }
  }
  const [only] = failures
  if (only !== undefined && failures.length === 1) throw only
  throw new RedisFailure(failures.map(({ message }) => message).join('; '))
}

async function openMaster(
  spec: RedisAccess,
  address: string,
  options: RedisConnectionOptions,
): Promise<RedisConnection> {
  const connection = await openConnection(spec, address, options)
  try {
    const info = String(await connection.redis.cluster('INFO'))
    if (info.includes('cluster_state:ok')) return connection
    throw new RedisFailure(`the Redis cluster at ${address} is down: not all of its slots are held`)
  } catch (error) {
    connection.close()
    throw toFailure(error, `cannot read the cluster state of Redis at ${address}`)
  }
}

async function findMasters(seed: RedisConnection, names: KeyNames): Promise<readonly string[]> {
  try {
    const slot = names.isTagged ? Number(await seed.redis.cluster('KEYSLOT', names.log)) : null
    const masters = new Set<string>()
    for (const range of toList(await seed.redis.cluster('SLOTS'))) {
      const [from, to, master] = toList(range)
      const [host, port] = toList(master)
      // Without a host, it is the node that was asked: it does not know its own name yet.
      const isUnknown = host === null || host === '' || host === '?'
      const address = isUnknown ? seed.address : joinAddress(String(host), Number(port))
      if (slot === null || (slot >= Number(from) && slot <= Number(to))) masters.add(address)
    }
    if (masters.size === 0) throw new RedisFailure(`the cluster at ${seed.address} holds no slot`)
    return [...masters]
  } catch (error) {
    throw toFailure(error, `cannot read the cluster nodes of Redis at ${seed.address}`)
  }
}

function toList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

function joinAddress(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
