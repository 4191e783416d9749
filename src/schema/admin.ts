/** The schemas of `admin`: where the admin is reached, by whom, and what each client may do. */
import * as z from 'zod'
import { bracketHost, parseHost } from '../model/address.ts'
import { MAX_PEM_CHARS } from '../model/certificate.ts'
import { refuseId } from '../model/names.ts'
import { bad, good, quote, type Scalar } from '../model/parsed.ts'
import {
  ADMIN_ROLES,
  ANONYMOUS_ROLES,
  type AdminRole,
  type AdminSettings,
  type AdminTls,
  type AdminToken,
  type AnonymousRole,
} from '../model/settings.ts'
import { parseServerUrl } from '../model/server-url.ts'
import type { Address } from '../model/snapshot.ts'
import { splitList } from '../model/units.ts'
import { address, meaning, scalar, strict, text } from '../options/fields.ts'

const MAX_HOSTS = 100
const MAX_TOKENS = 1000

export const adminAddressSchema: z.ZodType<Address> = address(
  'Where the admin API and the metrics are served.',
).prefault('127.0.0.1:8182')

export const adminHostsSchema: z.ZodType<readonly string[]> = scalar(parseHosts, {
  type: 'array',
  items: { type: 'string' },
  description:
    'Further names and addresses by which clients may reach the admin: sluice.monitoring, *.internal (one label), **.internal (one or more), 192.0.2.7. "*" is any, for where no browser reaches it.',
}).prefault([])

export const adminSocketSchema: z.ZodType<string | null> = scalar<string | null>(parseSocket, {
  type: 'string',
  description:
    'The path of a unix socket that serves the admin, too; only the user of Sluice may connect to it.',
}).prefault(null)

export const adminAnonymousSchema: z.ZodType<AnonymousRole | null> = z
  .enum(ANONYMOUS_ROLES)
  .nullable()
  .default(null)
  .meta({
    description:
      'What clients without a token or a certificate may do, besides asking whether Sluice is ready. By default write on a loopback address and on the socket, as long as there are no tokens and no client certificates, else none.',
    enumDescriptions: [
      'Nothing.',
      'Read the metrics.',
      'Read everything but secrets.',
      'Also drain servers, and confirm and reload sources.',
      'Also write objects.',
    ],
  })

const role: z.ZodType<AdminRole> = z.enum(ADMIN_ROLES).meta({
  description: 'What the client may do.',
  enumDescriptions: [
    'Read everything but secrets.',
    'Also drain servers, and confirm and reload sources.',
    'Also write objects, and read secrets.',
  ],
})

const token = strict(
  {
    role,
    sha256: scalar(parseDigest, {
      type: 'string',
      pattern: '^[0-9A-Fa-f]{64}$',
      description:
        'The SHA-256 of the token, 64 hexadecimal digits: printf %s "$TOKEN" | sha256sum. The token itself is 32 random bytes: openssl rand -hex 32.',
    }),
  },
  'A bearer token.',
)

export const adminTokensSchema: z.ZodType<readonly AdminToken[]> = meaning(
  z.record(z.string(), token),
  (form, complain): readonly AdminToken[] => {
    const entries = Object.entries(form)
    if (entries.length > MAX_TOKENS) complain(`must hold at most ${MAX_TOKENS} tokens`, [])
    const holders = new Map<string, string>()
    return entries.map(([name, { role: of, sha256 }]) => {
      const refused = refuseId(name)
      if (refused !== null) complain(refused, [name])
      const holder = holders.get(sha256)
      if (holder !== undefined) complain(`is the token ${quote(holder)} again`, [name, 'sha256'])
      holders.set(sha256, name)
      return { name, role: of, sha256 }
    })
  },
)
  .prefault({})
  .meta({
    description:
      'Bearer tokens by name, for Authorization: Bearer TOKEN. The name is in the log beside each change.',
  })

export const adminTlsSchema: z.ZodType<AdminTls | null> = meaning(
  strict(
    {
      cert: text(
        'The certificate of the admin and its chain: PEM text, or its path.',
        MAX_PEM_CHARS,
      ),
      key: text('Its private key: PEM text, or its path.', MAX_PEM_CHARS),
      clients: strict(
        {
          ca: text('The authorities of clients: PEM text, or its path.', MAX_PEM_CHARS),
          role: role.prefault('write'),
        },
        'Clients that show a certificate of these authorities need no token.',
      ).optional(),
    },
    'The admin is served over TLS.',
  ),
  ({ cert, key, clients = null }): AdminTls => ({ cert, key, clients }),
)

export const adminWriteSchema: z.ZodType<string | null> = text(
  'The source that the API writes; by default the only one that can be written.',
  128,
)
  .nullable()
  .default(null)
  .meta({
    description: 'The source that the API writes; by default the only one that can be written.',
  })

/** By their keys under `admin`. */
export const ADMIN_SHAPE: Readonly<Record<keyof AdminSettings, z.ZodType>> = {
  address: adminAddressSchema,
  hosts: adminHostsSchema,
  socket: adminSocketSchema,
  tokens: adminTokensSchema,
  tls: adminTlsSchema.optional(),
  anonymous: adminAnonymousSchema,
  write: adminWriteSchema,
}

/** A list, or text with commas. Without ports: clients are connected to the admin's own. */
function parseHosts(value: unknown): Scalar<readonly string[]> {
  const hosts: unknown = typeof value === 'string' ? splitList(value) : value
  if (!Array.isArray(hosts)) {
    return bad(
      `must be a list of hosts such as sluice.monitoring or *.internal, not ${quote(value)}`,
    )
  }
  if (hosts.length > MAX_HOSTS) return bad(`must hold at most ${MAX_HOSTS} hosts`)
  const canonical: string[] = []
  for (const host of hosts as readonly unknown[]) {
    if (typeof host !== 'string') return bad(`must hold hosts, not ${quote(host)}`)
    const [wildcard = ''] = /^\*{1,2}\.(?=.)/.exec(host) ?? []
    const parsed = host === '*' ? good(host) : parseHost(host.slice(wildcard.length))
    if (!parsed.ok) return bad(`${parsed.reason}; write it without a port`)
    canonical.push(host === '*' ? host : wildcard + bracketHost(parsed.value))
  }
  return good(canonical)
}

function parseSocket(value: unknown): Scalar<string | null> {
  if (value === null) return good(null)
  if (typeof value !== 'string') return bad(`must be the path of a socket, not ${quote(value)}`)
  const parsed = parseServerUrl(`unix:${value}`)
  return parsed.ok ? good(parsed.value.host) : bad(parsed.reason)
}

function parseDigest(value: unknown): Scalar<string> {
  return typeof value === 'string' && /^[0-9a-f]{64}$/i.test(value)
    ? good(value.toLowerCase())
    : bad(
        'must be 64 hexadecimal digits, the SHA-256 of the token and not the token: printf %s "$TOKEN" | sha256sum',
      )
}
