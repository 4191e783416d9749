/** Names that no certificate can be ordered for, and why. */
import { parseName } from '../../model/acme-names.ts'
import { formatIp, isIPv4, parseIp, type Ip } from '../../model/ip.ts'
import type { AcmeSettings } from '../../model/acme-settings.ts'

/** Authorities that browsers trust; others may sign any name. */
const PUBLIC_ISSUERS = [
  ...['letsencrypt.org', 'zerossl.com', 'pki.goog', 'buypass.com', 'ssl.com', 'sectigo.com'],
  ...['digicert.com', 'globalsign.com', 'actalis.com', 'entrust.net', 'certum.pl'],
]

/** RFC 2606, 6761, 6762, 7686, 8375 and 9476, ICANN's .internal, and names that are common in private networks. */
const PRIVATE_DOMAINS = new Set([
  ...['localhost', 'local', 'internal', 'test', 'example', 'invalid', 'onion', 'alt', 'arpa'],
  ...['lan', 'home', 'corp', 'mail', 'intranet', 'private', 'localdomain', 'domain', 'host'],
  'docker',
])

export type SigningSettings = Pick<AcmeSettings, 'issuers' | 'challenge' | 'dns'>

/** Why no certificate is ordered for the name; null: one is. */
export function refuseName(name: string, settings: SigningSettings): string | null {
  const ip = parseIp(name)
  const isPublic = settings.issuers.every(({ directory }) => isPublicIssuer(directory))
  if (ip !== null) return refuseAddress(ip, isPublic, settings)
  if (!parseName(name).ok) return 'it is no name of letters, digits and hyphens'
  if (name.startsWith('*.') && (settings.dns === null || isOtherThanDns(settings))) {
    return 'a wildcard needs dns-01: set acme.dns'
  }
  return isPublic ? refuseDomain(name.replace('*.', '')) : null
}

function isOtherThanDns({ challenge }: SigningSettings): boolean {
  return challenge !== 'auto' && challenge !== 'dns-01'
}

function refuseDomain(name: string): string | null {
  const labels = name.split('.')
  const last = labels.at(-1) ?? ''
  if (labels.length === 1) return 'no public issuer signs a name of one label'
  if (PRIVATE_DOMAINS.has(last)) return `no public issuer signs names below .${last}`
  return /^\d+$/.test(last) ? 'no public issuer signs names that end in a number' : null
}

function refuseAddress(
  ip: Ip,
  isPublic: boolean,
  { issuers, challenge }: SigningSettings,
): string | null {
  if (challenge === 'dns-01') return 'an address cannot be proved by dns-01'
  if (!isPublic) return null
  if (isPrivate(ip)) return 'no public issuer signs an address of a private network'
  return issuers.some(({ profile }) => profile !== null)
    ? null
    : 'addresses need a profile of the issuer that has them, such as shortlived'
}

function isPrivate(ip: Ip): boolean {
  const text = formatIp(ip)
  if (!isIPv4(ip)) return !/^[23]/.test(text) || text.startsWith('2001:db8:')
  return /^(?:0|10|127|169\.254|192\.168|192\.0\.2|198\.51\.100|203\.0\.113|172\.(?:1[6-9]|2\d|3[01])|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7])|2(?:2[4-9]|[3-5]\d))\./.test(
    text,
  )
}

function isPublicIssuer(directory: string): boolean {
  const { hostname } = new URL(directory)
  return PUBLIC_ISSUERS.some((domain) => hostname === domain || hostname.endsWith(`.${domain}`))
}
