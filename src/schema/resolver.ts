/** How names of servers are resolved, as the file writes it under `resolver`. */
import * as z from 'zod'
import { dnsServers } from '../options/dns-servers.ts'
import {
  count,
  duration,
  meaning,
  orForever,
  strict,
  text,
  texts,
  whole,
} from '../options/fields.ts'
import { parseHost } from '../model/address.ts'
import type { Scalar } from '../model/parsed.ts'
import type { ResolverSettings } from '../model/settings.ts'

const MAX_SEARCH = 32
const SECOND_MS = 1_000
const LONGEST_TTL_MS = 300_000

const form = strict(
  {
    servers: dnsServers(
      'DNS servers, as 10.0.0.2 or 10.0.0.2:5353; by default those of /etc/resolv.conf.',
    ).prefault([]),
    search: texts(
      parseDomain,
      MAX_SEARCH,
      'Domains that complete a name; by default those of /etc/resolv.conf.',
    ).optional(),
    ndots: whole('A name with at least this many dots is tried as it is first.', 0, 15).optional(),
    hosts: text('The hosts file; by default that of the system.', 4096).optional(),
    timeout: duration('Timeout of one query to one DNS server.', '2s', 50, 30_000),
    attempts: count('How often one query is sent before it fails.', 3, 1, 10),
    minTtl: duration('Addresses are used for at least this long.', '1s', SECOND_MS, LONGEST_TTL_MS),
    refresh: duration(
      'Where addresses are servers (resolve: all, sources of kind dns), names are looked up at least this often, also with a longer TTL.',
      '10s',
      SECOND_MS,
      LONGEST_TTL_MS,
    ),
    hold: orForever(
      'With resolve: all, how long the last addresses of a name stay in use after DNS has none for it any more: 30s, or forever.',
      '30s',
    ),
    maxTtl: duration('Addresses are used for at most this long.', '5m', SECOND_MS, LONGEST_TTL_MS),
  },
  'How names of servers are resolved.',
)

export const resolverSchema: z.ZodType<ResolverSettings> = meaning(form, (written, complain) => {
  const { servers, search = null, ndots = null, hosts = null, timeout, attempts } = written
  const { minTtl, maxTtl, refresh, hold } = written
  if (minTtl > maxTtl) complain('must not be longer than maxTtl', ['minTtl'])
  return {
    servers,
    search,
    ndots,
    hosts,
    timeoutMs: timeout,
    attempts,
    minTtlMs: minTtl,
    maxTtlMs: maxTtl,
    refreshMs: refresh,
    holdMs: hold,
  }
}).prefault({})

function parseDomain(text: string): Scalar<string> {
  return parseHost(text.replace(/\.$/, ''))
}
