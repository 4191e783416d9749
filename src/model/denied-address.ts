/**
 * Where no backend may point, whoever declares it: who can write a registry must not thereby read the cloud's metadata
 * service through us. Declared urls are checked here; a name's addresses when it is resolved (upstream asks the same).
 */

const METADATA: ReadonlySet<string> = new Set([
  'metadata.google.internal',
  'metadata.goog',
  '100.100.100.200',
  'fd00:ec2::254',
])

/** `host` canonical as parseHost makes it. The reason, or null when it may be reached. */
export function denyHost(host: string): string | null {
  if (METADATA.has(host)) return 'is a cloud metadata service'
  const embedded = host.includes(':') ? embeddedIPv4(host) : host
  if (embedded !== null) return denyIPv4(embedded)
  if (host === '::') return 'is the unspecified address'
  return /^fe[89ab][0-9a-f]:/.test(host) ? 'is a link-local address' : null
}

function denyIPv4(host: string): string | null {
  if (/^0\.\d+\.\d+\.\d+$/.test(host)) return 'is the unspecified address'
  if (/^169\.254\.\d+\.\d+$/.test(host)) return 'is a link-local address'
  return METADATA.has(host) ? 'is a cloud metadata service' : null
}

/** The IPv4 address that an IPv6 one only wraps: compatible, mapped, translated, NAT64 (64:ff9b::/96) or 6to4 (2002::/16). */
function embeddedIPv4(host: string): string | null {
  const tail = /^(?:::|::ffff:(?:0:)?|64:ff9b::)([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(host)
  const match = tail ?? /^2002:([0-9a-f]{1,4}):([0-9a-f]{1,4}):/.exec(host)
  if (match === null) return null
  const [high, low] = [parseInt(match[1] ?? '', 16), parseInt(match[2] ?? '', 16)]
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`
}
