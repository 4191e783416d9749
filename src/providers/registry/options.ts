/** The options that registries share: where they are, the layout of their keys, credentials and TLS (tls.ts). */
import { isIPv6 } from 'node:net'
import * as z from 'zod'
import { bracketHost, parseHost, splitHostPort } from '../../model/address.ts'
import type { ReadPem } from '../../model/certificate.ts'
import { bad, good, quote, type Flaw, type Path, type Scalar } from '../../model/parsed.ts'
import type { SourceSpec } from '../../model/settings.ts'
import type { LayoutChoice, LayoutName } from '../layout.ts'
import { decryption, readDecryption, withKeyring, type DecryptionForm } from './decryption.ts'
import { splitList } from '../../model/units.ts'
import { scalar, type Complain } from '../../options/fields.ts'
import { readTls, tlsOption, withTlsFiles, type RegistryTls, type TlsForm } from './tls.ts'

import { readVulcandFlags, vulcandFlags, type VulcandForm } from './vulcand-flags.ts'

export type { RegistryTls } from './tls.ts'

export interface RegistryOptions extends Omit<LayoutChoice, 'kind'> {
  /** `host:port`, at least one. */
  readonly endpoints: readonly string[]
  /** As written, with or without a leading slash, without a trailing one: `/vulcand` and `vulcand` are different keys. */
  readonly prefix: string
  readonly username: string | null
  readonly password: string | null
  /** Null: no TLS. */
  readonly tls: RegistryTls | null
}

const MAX_ENDPOINTS = 100

const PREFIXES: Readonly<Record<LayoutName, string>> = {
  sluice: '/sluice',
  vulcand: '/vulcand',
  traefik: 'traefik',
  fabio: '/fabio',
  nerve: '/services',
  serverset: '/discovery',
  curator: '/services',
  registrator: '/services',
}

export interface Endpoints {
  /** `host:port`, canonical. */
  readonly addresses: readonly string[]
  /** They were written as https. */
  readonly isTls: boolean
}

interface RegistryForm {
  readonly prefix?: string | undefined
  readonly layout: LayoutName
  readonly tls?: TlsForm | undefined
  readonly sealKey?: string | undefined
  readonly vulcand?: VulcandForm | undefined
  readonly decrypt?: DecryptionForm | undefined
}

type Shape<Form> = { readonly [Key in keyof Form]-?: z.ZodType<Form[Key]> }

export const registryOptions: Shape<
  RegistryForm & {
    readonly username?: string | undefined
    readonly password?: string | undefined
  }
> = {
  prefix: scalar(parsePrefix, {
    type: 'string',
    description:
      'The prefix, exactly as its keys begin. The default depends on the layout: /sluice, /vulcand, traefik, /fabio, /discovery for server sets, or /services.',
  }).optional(),
  layout: z
    .enum(Object.keys(PREFIXES) as LayoutName[])
    .default('sluice')
    .meta({ description: 'The layout of its keys.' }),
  username: secret('The user to log in as.').optional(),
  password: secret(
    'The password; a reference to a file or variable keeps it out of this file.',
  ).optional(),
  ...tlsOption,
  sealKey: scalar(
    (value) =>
      typeof value === 'string' && /^[0-9a-f]{64}$/i.test(value)
        ? good(value)
        : bad('must be 64 hexadecimal digits'),
    { type: 'string', description: "Opens vulcand's sealed key pairs: 64 hexadecimal digits." },
  ).optional(),
  vulcand: vulcandFlags.optional(),
  decrypt: decryption.optional(),
}

export function endpoints(port: number): z.ZodType<Endpoints> {
  return scalar((value) => parseEndpoints(value, port), {
    type: ['array', 'string'],
    items: { type: 'string' },
    description: `A list, or text with commas, of host:${port}, or with https://.`,
  })
}

/** For registries whose users all have a name. */
export function checkLogin(
  { username, password }: Pick<RegistryOptions, 'username' | 'password'>,
  complain: Complain,
): void {
  if ((username === null) === (password === null)) return
  complain('needs both username and password', [username === null ? 'password' : 'username'])
}

/** `isTls`: the endpoints are written so. */
export function readRegistry(
  { prefix, layout, tls, sealKey, vulcand, decrypt }: RegistryForm,
  isTls: boolean,
  complain: Complain,
): Pick<RegistryOptions, 'prefix' | 'layout' | 'tls' | 'sealKey' | 'vulcand' | 'decrypt'> {
  if (vulcand !== undefined && layout !== 'vulcand') {
    complain('is used with layout: vulcand only', ['vulcand'])
  }
  return {
    prefix: prefix ?? PREFIXES[layout],
    layout,
    tls: readTls(tls, isTls, complain),
    sealKey: sealKey ?? null,
    ...(vulcand === undefined ? {} : { vulcand: readVulcandFlags(vulcand) }),
    ...readDecryption(decrypt),
  }
}

export function registryLocation(
  { kind, endpoints, prefix, layout }: SourceSpec & RegistryOptions,
  which: string,
): string {
  const where = [...new Set(endpoints)].sort().join(',')
  return `${kind} ${where}${which}, prefix ${JSON.stringify(prefix)}, layout ${layout}`
}

/** The paths under `tls` and `decrypt` become the text of the files. */
export function withRegistryFiles<
  Spec extends { readonly tls: RegistryTls | null } & Pick<LayoutChoice, 'decrypt'>,
>(spec: Spec, read: ReadPem, at: Path, flaws: Flaw[]): Spec {
  const whole = withKeyring(spec, at, read, flaws)
  return spec.tls === null ? whole : { ...whole, tls: withTlsFiles(spec.tls, read, at, flaws) }
}

function secret(description: string): z.ZodType<string> {
  return scalar(
    (value) =>
      typeof value === 'string' && value.length > 0 && value.length <= 4096
        ? good(value)
        : bad('must be text of 1 to 4096 characters (digits alone need quotes)'),
    { type: 'string', description },
  )
}

export function parseEndpoints(value: unknown, normalPort: number): Scalar<Endpoints> {
  if (value === undefined) return bad('is missing')
  const written: unknown = typeof value === 'string' ? splitList(value) : value
  if (!Array.isArray(written) || written.length === 0) {
    return bad(`must be a list such as ["127.0.0.1:${normalPort}"], not ${quote(value)}`)
  }
  if (written.length > MAX_ENDPOINTS) return bad(`must hold at most ${MAX_ENDPOINTS} endpoints`)
  const addresses = new Set<string>()
  const schemes = new Set<string>()
  for (const one of written) {
    const match =
      typeof one === 'string' ? /^(?:(https?):\/\/)?([^/]*?)\/?$/i.exec(one.trim()) : null
    const address = match === null ? null : parseEndpoint(match[2] ?? '', normalPort)
    if (address === null) return bad(`must be host:port, not ${hidden(one)}`)
    if (!address.ok) return address
    addresses.add(address.value)
    schemes.add(match?.[1]?.toLowerCase() ?? '')
  }
  if (schemes.has('https') && schemes.size > 1) return bad('must all be https, or none')
  return good({ addresses: [...addresses], isTls: schemes.has('https') })
}

/** Text before an @ is a secret. */
function hidden(value: unknown): string {
  return typeof value === 'string' && value.includes('@') ? 'what is written' : quote(value)
}

/** `host:port`, canonical; null: it has another form. */
export function parseEndpoint(written: string, normalPort: number): Scalar<string> | null {
  const split = splitHostPort(written)
  if (split === null) return isIPv6(written) ? parseEndpoint(`[${written}]`, normalPort) : null
  if (split.host === '' || split.host.includes('@')) return null
  const port = split.port ?? normalPort
  if (port < 1 || port > 65_535)
    return bad(`the port must be from 1 to 65535, not ${quote(String(port))}`)
  const host = parseHost(split.host)
  return host.ok ? good(`${bracketHost(host.value)}:${port}`) : host
}

export function parsePrefix(value: unknown): Scalar<string> {
  if (typeof value !== 'string') return bad(`must be text, not ${quote(value)}`)
  const prefix = value.replace(/\/$/, '')
  // Printable, in whole segments.
  return prefix.length <= 512 && /^\/?[^/\s\p{C}]+(?:\/[^/\s\p{C}]+)*$/u.test(prefix)
    ? good(prefix)
    : bad(`must be the beginning of keys such as /sluice or team/sluice, not ${quote(value)}`)
}
