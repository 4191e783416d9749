/** The SRV records, or the addresses, of names in DNS: each name has the servers of one backend. */
import * as z from 'zod'
import { bracketHost, parseHost, splitHostPort, withoutRoot } from '../../model/address.ts'
import { isForbiddenKey, refuseId } from '../../model/names.ts'
import { onDemand } from '../../model/on-demand.ts'
import { bad, good, quote, type Scalar } from '../../model/parsed.ts'
import type { ResolverSettings, SourceSpec } from '../../model/settings.ts'
import { dnsServers } from '../../options/dns-servers.ts'
import { scalar, strict, whole, type Complain } from '../../options/fields.ts'
import { defineSource, type SourceKind } from '../source-kind.ts'

/** Where the servers of one backend are found. */
export interface DnsBackend {
  /** The backend's id. */
  readonly id: string
  /** In lower case. With a dot at its end it is complete; those of SRV records always are. */
  readonly name: string
  /** `A`: A and AAAA. */
  readonly type: 'SRV' | 'A'
  readonly scheme: 'http' | 'https' | 'h2c'
  /** Null: those of its SRV records. */
  readonly port: number | null
}

export interface DnsOptions {
  /** As of `resolver`, but for the servers of a source that has its own. */
  readonly resolver: ResolverSettings
  /** The hosts file comes first: not for servers of its own. */
  readonly readsHosts: boolean
  readonly backends: readonly DnsBackend[]
}

export type DnsSource = SourceSpec & DnsOptions

const MAX_BACKENDS = 1000
const FORM = /^(?:(https?|h2c):\/\/)?([^/]+?)\/?$/i

const provider = onDemand('the client of DNS', () => import('./dns-provider.ts'))

const name = scalar(parseName, {
  type: 'string',
  maxLength: 254,
  description: 'The name to look up: _http._tcp.vote.service.consul, or tasks.vote.',
})

const entry = strict(
  {
    name,
    type: z
      .enum(['SRV', 'A'])
      .optional()
      .meta({
        description: 'The records to look up; by default A if there is a port, else SRV.',
        enumDescriptions: [
          'Port, weight and priority are those of the records.',
          'A and AAAA; the port is that of this entry.',
        ],
      }),
    scheme: z
      .enum(['http', 'https', 'h2c'])
      .default('http')
      .meta({ description: 'Of the servers.' }),
    port: whole(
      'Of the servers; by default that of the scheme for A, and those of the records for SRV.',
      1,
      65_535,
    ).optional(),
  },
  'Where the servers of a backend are found.',
)

type EntryForm = z.output<typeof entry>

const backends = z.record(z.string(), z.union([z.string(), entry])).meta({
  description:
    'By the id of a backend, the name that has its servers: the name of SRV records, or http://tasks.vote:8080 for addresses; or a map.',
})

export const dns: SourceKind = defineSource({
  kind: 'dns',
  description: 'The SRV records, or the addresses, of names in DNS.',
  options: {
    servers: dnsServers('DNS servers, as 127.0.0.1:8600; by default those of resolver.').prefault(
      [],
    ),
    backends,
  },
  read({ servers, backends }, complain, { resolver }): DnsOptions {
    const readsHosts = servers.length === 0
    const own = readsHosts ? resolver : { ...resolver, servers }
    return { resolver: own, readsHosts, backends: readBackends(backends, complain) }
  },
  locations: ({ resolver: { servers } }) => [
    `dns ${servers.length === 0 ? 'of resolv.conf' : [...servers].sort().join(',')}`,
  ],
  async open(spec) {
    const { createDnsProvider } = await provider.load()
    return createDnsProvider(spec)
  },
})

function readBackends(
  written: Readonly<Record<string, string | EntryForm>>,
  complain: Complain,
): readonly DnsBackend[] {
  const entries = Object.entries(written)
  if (entries.length > MAX_BACKENDS) complain(`must hold at most ${MAX_BACKENDS}`, ['backends'])
  if (entries.length === 0) complain('must name at least one backend', ['backends'])
  return entries.flatMap(([id, form]) => {
    const refused = isForbiddenKey(id) ? `the id ${quote(id)} is reserved` : refuseId(id)
    const read = refused === null ? readEntry(id, form) : bad(refused)
    if (read.ok) return [read.value]
    complain(read.reason, ['backends', id])
    return []
  })
}

function readEntry(id: string, form: string | EntryForm): Scalar<DnsBackend> {
  if (typeof form === 'string') return readText(id, form)
  const { name, scheme, port = null } = form
  const { type = port === null ? 'SRV' : 'A' } = form
  return good({ id, name, type, scheme, port: type === 'A' ? (port ?? portOf(scheme)) : port })
}

/** A name alone is that of SRV records; with a scheme or a port, it has addresses. */
function readText(id: string, text: string): Scalar<DnsBackend> {
  const match = FORM.exec(text)
  const split = match === null ? null : splitHostPort(match[2] ?? '')
  if (match === null || split === null) {
    return bad(
      `must be a name such as _http._tcp.vote.internal or http://vote:8080, not ${quote(text)}`,
    )
  }
  const name = parseName(split.host)
  if (!name.ok) return name
  const scheme = (match[1]?.toLowerCase() ?? 'http') as DnsBackend['scheme']
  if (match[1] === undefined && split.port === null) {
    return good({ id, name: name.value, type: 'SRV', scheme, port: null })
  }
  const port = split.port ?? portOf(scheme)
  if (port < 1 || port > 65_535) return bad(`the port must be from 1 to 65535, not ${port}`)
  return good({ id, name: name.value, type: 'A', scheme, port })
}

function portOf(scheme: 'http' | 'https' | 'h2c'): number {
  return scheme === 'https' ? 443 : 80
}

function parseName(value: unknown): Scalar<string> {
  if (typeof value !== 'string') return bad(`must be a name, not ${quote(value)}`)
  const host = parseHost(withoutRoot(value))
  if (!host.ok) return host
  if (bracketHost(host.value) !== host.value || /^[\d.]+$/.test(host.value)) {
    return bad(`must be a name, not the address ${quote(value)}`)
  }
  return good(value.endsWith('.') ? `${host.value}.` : host.value)
}
