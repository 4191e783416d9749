/** The schema of `acme.dns`: how the TXT records of dns-01 are set. */
import * as z from 'zod'
import {
  TSIG_ALGORITHMS,
  type DnsSettings,
  type DnsUpdateSettings,
  type DnsWay,
} from '../model/acme-settings.ts'
import { parseName } from '../model/acme-names.ts'
import { bracketHost, parseHost, splitHostPort } from '../model/address.ts'
import { bad, good, quote, type Scalar } from '../model/parsed.ts'
import { dnsServers } from '../options/dns-servers.ts'
import {
  count,
  duration,
  meaning,
  scalar,
  section,
  strict,
  type Complain,
} from '../options/fields.ts'

const MINUTE_MS = 60_000
const DNS_PORT = 53

const update = strict(
  {
    server: scalar(parseServer, {
      type: 'string',
      description: 'The primary server of the zone, as 10.0.0.2 or ns1.example.com:53.',
    }),
    zone: scalar(parseZone, {
      type: 'string',
      description: 'The zone; by default the one whose SOA record the server has above the name.',
    }).optional(),
    key: strict(
      {
        name: scalar(parseKeyName, { type: 'string', description: 'The name of the key.' }),
        secret: scalar(parseSecret, {
          type: 'string',
          description: 'The secret in base64, as tsig-keygen prints it.',
        }),
        algorithm: z
          .enum(TSIG_ALGORITHMS)
          .default('hmac-sha256')
          .meta({ description: 'The algorithm of the key.' }),
      },
      'The TSIG key that signs updates (RFC 8945).',
    ).optional(),
    ttl: count('The TTL of records, in seconds.', 60, 0, 3600),
    timeout: duration('Timeout of one update.', '10s', 100, MINUTE_MS),
  },
  'Dynamic updates (RFC 2136).',
)

const form = strict(
  {
    hook: z
      .array(scalar(parseArgument, { type: 'string' }))
      .min(1, 'must hold at least the path of a program')
      .max(64, 'must hold at most 64 arguments')
      .optional()
      .meta({
        description:
          'A program and its arguments. It is run with `present NAME VALUE` to set the TXT record NAME to VALUE beside others, and with `cleanup NAME VALUE` to remove it.',
      }),
    hookTimeout: duration('A hook that runs longer is killed.', '2m', 100, 30 * MINUTE_MS),
    rfc2136: update.optional(),
    propagation: section(
      {
        timeout: duration(
          'How long the servers have to show the record before the issuer is called all the same.',
          '2m',
          0,
          60 * MINUTE_MS,
        ),
        delay: duration('Waited in any case once the record is set.', '0s', 0, 60 * MINUTE_MS),
        servers: dnsServers(
          'DNS servers that must show the record, such as the secondary servers of the zone.',
        ).prefault([]),
      },
      'When the record can be seen by the issuer.',
    ),
  },
  'Sets the TXT records of dns-01: by a hook, or by updates.',
)

export const dnsSchema: z.ZodType<DnsSettings> = meaning(form, (written, complain) => {
  const { timeout: timeoutMs, delay: delayMs, servers } = written.propagation
  return { way: readWay(written, complain), propagation: { timeoutMs, delayMs, servers } }
})

function readWay(
  { hook, hookTimeout, rfc2136 }: z.output<typeof form>,
  complain: Complain,
): DnsWay {
  if ((hook === undefined) === (rfc2136 === undefined)) {
    complain('needs either a hook or rfc2136', [])
  }
  if (rfc2136 === undefined) {
    return { kind: 'hook', command: hook ?? [], timeoutMs: hookTimeout }
  }
  const { server, zone = null, key = null, ttl: ttlSeconds, timeout: timeoutMs } = rfc2136
  const settings: DnsUpdateSettings = { server, zone, key, ttlSeconds, timeoutMs }
  return { kind: 'rfc2136', ...settings }
}

function parseServer(value: unknown): Scalar<string> {
  const split = typeof value === 'string' ? splitHostPort(value) : null
  const host = split === null ? null : parseHost(split.host)
  const port = split?.port ?? DNS_PORT
  return host?.ok === true && port >= 1 && port <= 65_535
    ? good(`${bracketHost(host.value)}:${port}`)
    : bad(`must be a DNS server such as 10.0.0.2 or ns1.example.com:53, not ${quote(value)}`)
}

function parseZone(value: unknown): Scalar<string> {
  const name = typeof value === 'string' ? parseName(value) : null
  return name?.ok === true && !name.value.startsWith('*')
    ? name
    : bad(`must be a zone such as example.com, not ${quote(value)}`)
}

function parseKeyName(value: unknown): Scalar<string> {
  const name = typeof value === 'string' ? value.toLowerCase().replace(/\.$/, '') : ''
  return name.length <= 253 && /^[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*$/.test(name)
    ? good(name)
    : bad(`must be the name of a key such as acme.example.com, not ${quote(value)}`)
}

function parseSecret(value: unknown): Scalar<string> {
  return typeof value === 'string' &&
    value.length <= 1024 &&
    /^(?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(value)
    ? good(value)
    : bad('must be base64')
}

function parseArgument(value: unknown): Scalar<string> {
  return typeof value === 'string' && value.length <= 4096 && !value.includes('\0')
    ? good(value)
    : bad(`must be text, not ${quote(value)}`)
}
