/** A Redis as settings name it. */
import type { RedisSource } from '../../src/providers/redis/source.ts'

/** At `endpoints`, in the native layout; the rest as it is where nothing is said. */
export function redisSource(
  endpoints: readonly string[],
  rest: Partial<RedisSource> = {},
): RedisSource {
  return {
    kind: 'redis',
    name: 'redis',
    required: true,
    shrink: { holdMs: null, share: 1, allowEmpty: true },
    endpoints,
    cluster: false,
    database: 0,
    prefix: 'sluice',
    layout: 'sluice',
    username: null,
    password: null,
    tls: null,
    sealKey: null,
    ...rest,
  }
}
