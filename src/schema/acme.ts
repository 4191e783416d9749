/** The schema of `acme`, the settings of certificates that are ordered. */
import * as z from 'zod'
import { parseName } from '../model/acme-names.ts'
import {
  ACME_KEY_TYPES,
  CHALLENGE_CHOICES,
  type AcmeIssuer,
  type AcmeSettings,
} from '../model/acme-settings.ts'
import { bad, good, quote, type Scalar } from '../model/parsed.ts'
import {
  count,
  flag,
  meaning,
  part,
  scalar,
  section,
  strict,
  text,
  texts,
} from '../options/fields.ts'
import { dnsSchema } from './acme-dns.ts'

const MAX_NAMES = 1000
const MAX_ISSUERS = 5
const MAX_SEALS = 5

/** Authorities by name. */
const DIRECTORIES: ReadonlyMap<string, string> = new Map([
  ['letsencrypt', 'https://acme-v02.api.letsencrypt.org/directory'],
  ['letsencrypt-staging', 'https://acme-staging-v02.api.letsencrypt.org/directory'],
  ['zerossl', 'https://acme.zerossl.com/v2/DV90'],
  ['google', 'https://dv.acme-v02.api.pki.goog/directory'],
])
const DEFAULT_DIRECTORY = 'letsencrypt'

const directory = scalar(parseDirectory, {
  type: 'string',
  description: `The issuer: ${[...DIRECTORIES.keys()].join(', ')}, or the URL of its ACME directory.`,
}).prefault(DEFAULT_DIRECTORY)

const issuer: z.ZodType<AcmeIssuer> = meaning(
  strict(
    {
      directory,
      caFile: text(
        'For an issuer of your own: the roots that sign its server, as a path relative to this file or as PEM text.',
        262_144,
      ).optional(),
      eab: strict(
        {
          keyId: text('The key id that the issuer gives.', 512),
          hmacKey: scalar(parseHmacKey, {
            type: 'string',
            description: 'The HMAC key that the issuer gives, in base64url.',
          }),
        },
        'External account binding, for issuers that need an account of theirs.',
      ).optional(),
      profile: text(
        'The profile of certificates, for issuers that have several: tlsserver, shortlived.',
        64,
      ).optional(),
      preferredChain: text(
        'Of several chains, the one whose topmost certificate was issued by this name.',
        256,
      ).optional(),
    },
    'An issuer of certificates.',
  ),
  ({ directory: url, caFile: ca = null, eab = null, profile = null, preferredChain = null }) => ({
    directory: url,
    ca,
    externalAccount: eab,
    profile,
    preferredChain,
  }),
)

const form = strict(
  {
    email: scalar(parseEmail, {
      type: 'string',
      description: 'Where issuers send warnings about certificates and the account.',
    }).optional(),
    agree: z
      .literal(true, 'must be true: with it you agree to the terms of service of the issuers')
      .meta({ description: 'You agree to the terms of service of the issuers.' }),
    issuers: z
      .array(issuer)
      .min(1, 'must hold at least one issuer')
      .max(MAX_ISSUERS, `must hold at most ${MAX_ISSUERS} issuers`)
      .prefault([{}])
      .meta({ description: 'Tried in this order until one issues.', default: undefined }),
    challenge: z.enum(CHALLENGE_CHOICES).default('auto').meta({
      description:
        'How names are proved. auto: http-01 if there is an http listener, else tls-alpn-01, and the other one after a failure; dns-01 for wildcards.',
    }),
    dns: dnsSchema.optional(),
    keyType: z
      .enum(ACME_KEY_TYPES)
      .default('p256')
      .meta({ description: 'The kind of key of new certificates.' }),
    store: text(
      'The source whose registry keeps accounts, certificates and orders; by default the first that can be written, else the embedded store.',
      128,
    ).optional(),
    seal: scalar(parseSeals, {
      type: ['string', 'array'],
      items: { type: 'string' },
      description:
        'Seals private keys in the registry: 64 hexadecimal digits. Of a list, the first seals and all open.',
    }).prefault([]),
    names: section(
      {
        routes: flag('The names of routes that an https listener serves.', true),
        list: texts(parseName, MAX_NAMES, 'Further names.').prefault([]),
        exclude: texts(
          parseName,
          MAX_NAMES,
          'Names that are not ordered; *.example.com is every name below example.com.',
        ).prefault([]),
      },
      'Which names get certificates.',
    ),
    onDemand: strict(
      {
        ask: scalar(parseAsk, {
          type: 'string',
          description:
            'A URL that is asked with ?domain=NAME before a name is ordered; a 2xx status permits it.',
        }),
        perMinute: count('Names that are ordered in one minute, at most.', 10, 1, 1000),
      },
      'Orders a name that is in no route when a client asks for it.',
    ).optional(),
    renewAt: part(
      'The share of its lifetime after which a certificate is renewed if the issuer does not say when; by default two thirds, or half of less than 10 days.',
      0.1,
      0.95,
    ).optional(),
  },
  'Certificates that are ordered by ACME (RFC 8555), kept in the registry and renewed.',
)

export const acmeSchema: z.ZodType<AcmeSettings> = meaning(form, (written, complain) => {
  const { dns = null, challenge } = written
  if (challenge === 'dns-01' && dns === null) {
    complain('needs dns: a hook command, or a server that takes updates', ['challenge'])
  }
  const directories = written.issuers.map((one) => one.directory)
  if (new Set(directories).size < directories.length) {
    complain('must name each directory once', ['issuers'])
  }
  return {
    email: written.email ?? null,
    issuers: written.issuers,
    challenge,
    dns,
    keyType: written.keyType,
    store: written.store ?? null,
    seal: written.seal,
    names: written.names,
    onDemand: written.onDemand ?? null,
    renewAt: written.renewAt ?? null,
  }
})

function parseDirectory(value: unknown): Scalar<string> {
  const known = typeof value === 'string' ? DIRECTORIES.get(value) : undefined
  if (known !== undefined) return good(known)
  const url = toUrl(value)
  if (url?.protocol === 'https:') return good(url.href)
  const names = [...DIRECTORIES.keys()].join(', ')
  return bad(`must be ${names} or an https:// url, not ${quote(value)}`)
}

function parseAsk(value: unknown): Scalar<string> {
  const url = toUrl(value)
  return url !== null && /^https?:$/.test(url.protocol) && url.hash === ''
    ? good(url.href)
    : bad(`must be an http:// or https:// url, not ${quote(value)}`)
}

function toUrl(value: unknown): URL | null {
  if (typeof value !== 'string' || value.length > 2048) return null
  const url = URL.parse(value)
  return url === null || url.username !== '' || url.password !== '' ? null : url
}

function parseEmail(value: unknown): Scalar<string> {
  const email = typeof value === 'string' ? value.replace(/^mailto:/, '') : value
  return typeof email === 'string' && email.length <= 254 && /^[!-~]+@[!-~]+$/.test(email)
    ? good(email)
    : bad(`must be an address such as ops@example.com, not ${quote(value)}`)
}

function parseHmacKey(value: unknown): Scalar<string> {
  // Some issuers show it in base64 or with padding.
  const key =
    typeof value === 'string'
      ? value.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')
      : ''
  return key.length <= 1024 && /^[\w-]{16,}$/.test(key)
    ? good(key)
    : bad('must be the base64url text that the issuer gave')
}

function parseSeals(value: unknown): Scalar<readonly string[]> {
  const keys: unknown = typeof value === 'string' ? [value] : value
  const areKeys =
    Array.isArray(keys) &&
    keys.length <= MAX_SEALS &&
    keys.every((one) => typeof one === 'string' && /^[0-9a-f]{64}$/i.test(one))
  return areKeys
    ? good((keys as readonly string[]).map((one) => one.toLowerCase()))
    : bad(`must be 64 hexadecimal digits, or a list of at most ${MAX_SEALS} such keys`)
}
