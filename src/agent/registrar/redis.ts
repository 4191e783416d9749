/** A Redis to register in, alone or a cluster. */
import { onDemand } from '../../model/on-demand.ts'
import { quote } from '../../model/parsed.ts'
import { createKeyNames } from '../../providers/redis/key-names.ts'
import { readRedisAccess, redisOptions, type RedisAccess } from '../../providers/redis/source.ts'
import { refuseRegistration, toEntry } from './formats.ts'
import { defineRegistrar, type RegistrarKind } from './kind.ts'
import { keysOptions, readKeys, ttl, withFiles, type KeysSettings } from './options.ts'
import type { Registration } from './registrar.ts'

type RedisOptions = RedisAccess & KeysSettings & { readonly ttlMs: number }

const SHORTEST_TTL_MS = 1_000

const client = onDemand('the client of Redis', () => import('./redis-link.ts'))

export const redisRegistrar: RegistrarKind = defineRegistrar({
  kind: 'redis',
  description: 'A Redis.',
  options: { ...redisOptions, ...keysOptions, ttl: ttl(SHORTEST_TTL_MS) },
  read(form, complain): RedisOptions {
    const { isTls, ...access } = readRedisAccess(form, complain)
    const keys = readKeys(form, isTls, complain)
    if (access.cluster && !createKeyNames(keys.prefix).isTagged) {
      const example = quote(`{${keys.prefix}}`)
      complain(`of a cluster needs a hash tag, so that its keys are in one slot: ${example}`, [
        'prefix',
      ])
    }
    return { ...access, ...keys, ttlMs: form.ttl }
  },
  withFiles,
  placeOf: ({ endpoints }) => `Redis ${endpoints.join(',')}`,
  refuse: (registration, { prefix, layout }) =>
    refusePath(registration, prefix) ?? refuseRegistration(registration, layout),
  toEntry: (registration, spec) => toEntry(registration, { ...spec, isNumbered: false }),
  async openLinks(spec) {
    const { createRedisLinks } = await client.load()
    return createRedisLinks(spec)
  },
})

/** Writes below the prefix alone are logged for readers. */
function refusePath({ path }: Registration, prefix: string): string | null {
  if (path === null || path.startsWith(`${prefix}/`)) return null
  return `in Redis its path must be below the prefix ${quote(prefix)}, not ${quote(path)}`
}
