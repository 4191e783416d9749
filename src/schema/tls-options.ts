/** The schema of TLS options, of a listener and of a host; tls-to-servers.ts has some of them, too. */
import * as z from 'zod'
import {
  MAX_PEM_CHARS,
  readAuthorities,
  readRevocations,
  type ReadPem,
} from '../model/certificate.ts'
import { bad, flaw, good, quote, type Flaw, type Path } from '../model/parsed.ts'
import { didYouMean } from '../model/suggest.ts'
import {
  ACME_TLS,
  cipherNamed,
  curveNamed,
  DEFAULT_TLS_OPTIONS,
  type ClientAuth,
  type HostTlsOptions,
  isTls13Cipher,
  NO_CLIENT_AUTH,
  TLS_PROFILES,
  type TlsOptions,
  type TlsProtocol,
  type TlsVersion,
  verifiesClients,
  withTls13Ciphers,
} from '../model/tls-options.ts'
import { scalar, strict, text, texts } from '../options/fields.ts'

const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const

/** As written: nothing has a default, because a host takes from its listener what it does not declare. */
export interface TlsOptionsForm {
  readonly profile?: keyof typeof TLS_PROFILES | undefined
  readonly minVersion?: TlsVersion | undefined
  readonly maxVersion?: TlsVersion | undefined
  readonly ciphers?: readonly string[] | undefined
  readonly curves?: readonly string[] | undefined
  readonly clientAuth?: ClientAuthForm | undefined
  readonly tickets?: boolean | undefined
  readonly alpn?: readonly string[] | undefined
}

interface ClientAuthForm {
  readonly mode: ClientAuth['mode']
  readonly ca?: readonly string[] | undefined
  readonly crl?: string | undefined
}

const pemTexts = (description: string): z.ZodType<readonly string[]> =>
  z.union([
    text(description, MAX_PEM_CHARS).transform((one) => [one]),
    z.array(text('PEM text, or its path.', MAX_PEM_CHARS)).min(1).max(100),
  ])

const clientAuth: z.ZodType<ClientAuthForm> = strict(
  {
    mode: z
      .enum(['none', 'request', 'require', 'verify-if-given', 'require-and-verify'])
      .default('require-and-verify')
      .meta({
        description:
          'request asks for a certificate, require insists on one and accepts any, verify-if-given refuses those that ca did not sign, require-and-verify also refuses clients without one.',
      }),
    ca: pemTexts(
      'The authorities that certificates of clients are verified against: PEM text, or its path, or a list of them.',
    ).optional(),
    crl: text(
      'Their revocation lists: PEM text, or its path. Each authority of a chain needs one.',
      MAX_PEM_CHARS,
    ).optional(),
  },
  'Whether clients show a certificate (mutual TLS).',
)

const MAX_NAMES = 50

export const tlsOptionsShape: {
  readonly [Member in keyof Required<TlsOptionsForm>]: z.ZodOptional<
    z.ZodType<NonNullable<TlsOptionsForm[Member]>>
  >
} = {
  profile: z
    .enum(['modern', 'intermediate'])
    .meta({
      description:
        "Versions, suites and curves by Mozilla's Server Side TLS 5.7: modern is TLS 1.3 only, intermediate is the default. The four members below replace parts of it.",
    })
    .optional(),
  minVersion: z
    .enum(VERSIONS)
    .meta({ description: 'The oldest version that is spoken.' })
    .optional(),
  maxVersion: z
    .enum(VERSIONS)
    .meta({ description: 'The newest version that is spoken.' })
    .optional(),
  ciphers: texts(
    (name) => {
      const found = cipherNamed(name)
      if (found !== null) return good(found)
      return bad(
        `${quote(name)} is no cipher suite that is secure enough, by its OpenSSL or IANA name`,
      )
    },
    MAX_NAMES,
    'Cipher suites by their OpenSSL or IANA names, the preferred ones first. Those of TLS 1.3 are added if none is listed.',
  ).optional(),
  curves: texts(
    (name) => {
      const found = curveNamed(name)
      return found === null ? bad(`${quote(name)} is no curve${curveHint(name)}`) : good(found)
    },
    MAX_NAMES,
    'Groups of the key exchange, the preferred ones first: X25519MLKEM768, X25519, P-256, P-384.',
  ).optional(),
  clientAuth: clientAuth.optional(),
  tickets: z.boolean().meta({ description: 'Whether sessions are resumed by tickets.' }).optional(),
  alpn: scalar(readProtocols, {
    type: 'array',
    items: { type: 'string' },
    description:
      'Protocols of ALPN, the preferred ones first; of an https listener some of those that it speaks.',
  }).optional(),
}

function curveHint(name: string): string {
  const known = ['X25519MLKEM768', 'X25519', 'P-256', 'P-384', 'P-521']
  return didYouMean(name, known) || `; ${known.join(', ')} are known`
}

function readProtocols(
  value: unknown,
): ReturnType<typeof good<readonly string[]>> | ReturnType<typeof bad> {
  if (!Array.isArray(value) || value.length === 0 || value.length > MAX_NAMES)
    return bad('must be a list of protocols')
  for (const one of value as unknown[]) {
    if (typeof one !== 'string' || !/^[\x21-\x7e]{1,255}$/.test(one))
      return bad(`must hold names of protocols, not ${quote(one)}`)
    if (one === ACME_TLS) return bad(`${ACME_TLS} is spoken while a certificate is ordered`)
  }
  return good(value as string[])
}

/** Pushes onto `flaws` what cannot be. `at`: the place of the form. */
export function readHostTls(
  form: TlsOptionsForm,
  at: Path,
  read: ReadPem,
  flaws: Flaw[],
): HostTlsOptions {
  const { clientAuth: auth, tickets = null, alpn = null } = form
  return {
    protocol: readProtocol(form, at, flaws),
    clientAuth:
      auth === undefined ? null : readClientAuth(auth, [...at, 'clientAuth'], read, flaws),
    tickets,
    alpn,
  }
}

export function readListenerTls(
  form: TlsOptionsForm,
  at: Path,
  read: ReadPem,
  flaws: Flaw[],
): TlsOptions {
  const own = readHostTls(form, at, read, flaws)
  const { protocol, clientAuth: auth, tickets, alpn } = DEFAULT_TLS_OPTIONS
  return {
    protocol: own.protocol ?? protocol,
    clientAuth: own.clientAuth ?? auth,
    tickets: own.tickets ?? tickets,
    alpn: own.alpn ?? alpn,
  }
}

function readProtocol(form: TlsOptionsForm, at: Path, flaws: Flaw[]): TlsProtocol | null {
  const { profile, minVersion, maxVersion, ciphers, curves } = form
  if ((profile ?? minVersion ?? maxVersion ?? ciphers ?? curves) === undefined) return null
  const base = TLS_PROFILES[profile ?? 'intermediate']
  const versions = readVersions(form, base, at, flaws)
  const where = [...at, ciphers === undefined ? 'profile' : 'ciphers']
  refuseOldCiphers(ciphers, versions, where, flaws)
  const suites = readCiphers(ciphers ?? base.ciphers, versions, where, flaws)
  if (curves?.length === 0) flaws.push(flaw([...at, 'curves'], 'must name at least one'))
  return { ...versions, ciphers: suites, curves: curves ?? base.curves }
}

type Versions = Pick<TlsProtocol, 'minVersion' | 'maxVersion'>

/** What the form does not declare is of `base`. */
export function readVersions(
  { minVersion, maxVersion }: Pick<TlsOptionsForm, 'minVersion' | 'maxVersion'>,
  base: Versions,
  at: Path,
  flaws: Flaw[],
): Versions {
  const lowest = minVersion ?? (maxVersion === 'TLSv1.2' ? 'TLSv1.2' : base.minVersion)
  const highest = maxVersion ?? base.maxVersion
  if (lowest > highest)
    flaws.push(flaw([...at, 'minVersion'], `${lowest} is above maxVersion ${highest}`))
  return { minVersion: lowest, maxVersion: highest }
}

/** Suites of TLS 1.2 where 1.3 alone is spoken: they would have no effect. `at`: their place. */
export function refuseOldCiphers(
  ciphers: readonly string[] | undefined,
  { minVersion }: Versions,
  at: Path,
  flaws: Flaw[],
): void {
  if (minVersion !== 'TLSv1.3' || ciphers === undefined || ciphers.some(isTls13Cipher)) return
  const help = 'add one, or leave the list out'
  flaws.push(flaw(at, `has no cipher suite of TLS 1.3, the only version that is spoken; ${help}`))
}

/** `at`: the place of the suites. */
export function readCiphers(
  ciphers: readonly string[],
  { minVersion, maxVersion }: Versions,
  at: Path,
  flaws: Flaw[],
): readonly string[] {
  const suites = withTls13Ciphers(ciphers, maxVersion)
  if (minVersion === 'TLSv1.2' && suites.every(isTls13Cipher)) {
    const help = 'set minVersion: TLSv1.3, or list suites of TLS 1.2'
    flaws.push(flaw(at, `has no cipher suite of TLS 1.2, which is spoken, too; ${help}`))
  }
  return suites
}

function readClientAuth(
  { mode, ca, crl }: ClientAuthForm,
  at: Path,
  read: ReadPem,
  flaws: Flaw[],
): ClientAuth {
  if (mode === 'none') return NO_CLIENT_AUTH
  const verifies = verifiesClients({ mode, ca: null, crl: null })
  if (verifies && ca === undefined)
    flaws.push(
      flaw([...at, 'ca'], `is missing: ${mode} verifies certificates of clients against it`),
    )
  if (!verifies && (ca !== undefined || crl !== undefined)) {
    const help = 'use verify-if-given or require-and-verify'
    flaws.push(
      flaw([...at, 'mode'], `${mode} verifies nothing, so ca and crl have no effect; ${help}`),
    )
  }
  const authorities = ca?.flatMap((one) => readAuthorities(one, [...at, 'ca'], read, flaws) ?? [])
  return {
    mode,
    ca: authorities?.join('\n') ?? null,
    crl: crl === undefined ? null : readRevocations(crl, [...at, 'crl'], read, flaws),
  }
}
