/**
 * Consistent hashing: requests with the same key go to the same server, in every thread and instance, and few keys move if
 * servers are added or removed. While a server is unavailable its keys go to the others, each key always to the same one, and
 * return with it. Requests without a key (no such header, cookie or parameter, or an empty one) are balanced by round-robin.
 */
import type { ZodType } from 'zod'
import { isToken } from '../../model/names.ts'
import { quote } from '../../model/parsed.ts'
import type { Complain } from '../../options/fields.ts'
import type { Vocabulary } from '../../options/vocabulary.ts'
import { SHARED } from '../../scoreboard/layout.ts'
import { sharedAdd } from '../../scoreboard/scoreboard.ts'
import type {
  BalancedRequest,
  Balancer,
  BalancerContext,
  BalancerKind,
  IsIneligible,
} from './balancer.ts'
import { cookieValues } from './cookies.ts'
import type { Endpoint } from '../endpoint/endpoint.ts'
import { buildMaglev } from './maglev.ts'
import { createRoundRobin } from './round-robin.ts'
import { hashString, mix } from './string-hash.ts'

/** Cells that are tried for a key before all servers are looked at. */
const MAX_CELLS = 32

/** `name`: of the header (lower case), cookie or query parameter; '' for the others. */
export interface HashKey {
  readonly from: 'client-ip' | 'header' | 'cookie' | 'path' | 'query'
  readonly name: string
}

export const hash: BalancerKind<HashKey> = {
  name: 'hash',
  description: 'Requests with the same key go to the same server.',
  weight: "A server's share of the keys, not of the requests.",
  options: {
    schema: hashKey,
    defaults: { from: 'client-ip', name: '' },
    readsHeaders: ({ from, name }) => (from === 'header' ? { name } : {}),
  },
  create: createHash,
}

const NAMED: ReadonlySet<HashKey['from']> = new Set(['header', 'cookie', 'query'])

function hashKey({ z, strict, text, meaning }: Vocabulary): ZodType<HashKey> {
  const form = strict(
    {
      from: z.enum(['client-ip', 'header', 'cookie', 'path', 'query']).meta({
        description: 'What the key is. Without any hash option it is the address of the client.',
      }),
      name: text(
        'The name of the header, cookie or query parameter; required for these.',
        128,
      ).optional(),
    },
    'The key of balance: hash.',
  )
  return meaning(form, readHashKey)
}

function readHashKey(
  { from, name }: { readonly from: HashKey['from']; readonly name?: string | undefined },
  complain: Complain,
): HashKey {
  if (!NAMED.has(from)) {
    if (name !== undefined) complain(`is not used with from: ${from}`, ['name'])
    return { from, name: '' }
  }
  if (name === undefined) {
    complain(`is missing: from: ${from} needs one`, ['name'])
    return { from, name: '' }
  }
  if (from !== 'query' && !isToken(name)) {
    complain(`must be the name of a ${from}, not ${quote(name)}`, ['name'])
  }
  return { from, name: from === 'header' ? name.toLowerCase() : name }
}

function createHash(
  endpoints: readonly Endpoint[],
  context: BalancerContext,
  keySpec: HashKey,
): Balancer {
  const { length } = endpoints
  const cells = buildMaglev(endpoints.map(({ url, weight }) => ({ name: url, weight })))
  const byTurns = createRoundRobin(endpoints, context)

  function find(hash: number, isIneligible: IsIneligible): Endpoint | null {
    let bits = hash
    let last: Endpoint | undefined
    // Cells derived from the key, not the next cells, so that all other servers share the keys of an ineligible one.
    for (let tries = 0; tries < MAX_CELLS; tries++) {
      const endpoint = endpoints[cells[bits % cells.length] ?? 0]
      bits = mix(bits + tries + 1)
      if (endpoint === undefined || endpoint === last) continue
      if (!isIneligible(endpoint)) return endpoint
      last = endpoint
    }
    for (let step = 0; step < length; step++) {
      const endpoint = endpoints[(bits + step) % length]
      if (endpoint !== undefined && !isIneligible(endpoint)) return endpoint
    }
    return null
  }

  return {
    pick(request: BalancedRequest, isIneligible: IsIneligible): Endpoint | null {
      const key = keyOf(request, keySpec)
      if (key === '') return byTurns.pick(request, isIneligible)
      const endpoint = find(hashString(key), isIneligible)
      if (endpoint !== null) sharedAdd(endpoint.slot, SHARED.inFlight, 1)
      return endpoint
    },
  }
}

/** The key as it was sent: `%41` and `A` are two keys. '' if there is none. */
export function keyOf(request: BalancedRequest, { from, name }: HashKey): string {
  switch (from) {
    case 'client-ip':
      return request.clientIp
    case 'path':
      return request.path
    case 'header':
      return request.field(name) ?? ''
    case 'cookie':
      return cookieValues(request.field('cookie') ?? '', name, 1)[0] ?? ''
    case 'query':
      return parameterOf(request.query, name)
    default:
      return from satisfies never
  }
}

function parameterOf(query: string, name: string): string {
  for (let start = 0; start < query.length;) {
    const ampersand = query.indexOf('&', start)
    const end = ampersand < 0 ? query.length : ampersand
    const equals = start + name.length
    if (query[equals] === '=' && query.startsWith(name, start)) return query.slice(equals + 1, end)
    start = end + 1
  }
  return ''
}
