/**
 * Addresses as numbers. One address has many spellings (`::ffff:10.0.0.1`, `::FFFF:a00:1` and 10.0.0.1 are the same), so all
 * code that compares or classifies addresses calls this module instead of comparing text.
 *
 * An address is eight groups of 16 bits. IPv4 is stored as IPv4-mapped IPv6 (RFC 4291 section 2.5.5.2). A zone (`%eth0`) is
 * dropped: it does not belong to the address.
 */
import { isIP } from 'node:net'
import { bad, good, quote, type Scalar } from './parsed.ts'

/** Eight groups, the most significant first. */
export type Ip = Uint16Array

export interface Network {
  readonly start: Ip
  /** Of 128 bits. */
  readonly prefix: number
}

/** Null: it is not an address. */
export function parseIp(text: string): Ip | null {
  const groups = new Uint16Array(8)
  return readIp(text, groups) ? groups : null
}

/** As `parseIp`, into existing groups. If it returns false, their content is undefined. */
export function readIp(text: string, groups: Ip): boolean {
  const family = isIP(text)
  if (family === 0) return false
  groups.fill(0)
  if (family === 6) readGroups(text, groups, 0)
  else {
    groups[5] = 0xffff
    readGroups(text, groups, 6)
  }
  return true
}

const COLON = 58
const DOT = 46
const PERCENT = 37
const NINE = 57

/** `address` is valid. Fills the groups from `first` on. Hot path (limits by client address): no strings are made. */
function readGroups(address: string, groups: Ip, first: number): void {
  let count = first
  let gap = -1
  let group = 0
  /** The same digits as a decimal number: an address may end in IPv4 notation. */
  let decimal = 0
  let dotted = 0
  let digits = 0
  for (let at = 0; at <= address.length; at++) {
    const code = at < address.length ? address.charCodeAt(at) : PERCENT
    if (code !== COLON && code !== DOT && code !== PERCENT) {
      const digit = code <= NINE ? code - 48 : (code | 32) - 87
      group = group * 16 + digit
      decimal = decimal * 10 + digit
      digits++
      continue
    }
    if (code === DOT || dotted > 0) {
      if (dotted++ % 2 === 0) groups[count] = decimal * 256
      else groups[count] = (groups[count++] ?? 0) + decimal
    } else if (digits > 0) groups[count++] = group
    else if (at > 0 && code === COLON) gap = count
    if (code === PERCENT) break
    group = 0
    decimal = 0
    digits = 0
  }
  if (gap < 0 || count >= 8) return
  groups.copyWithin(8 - (count - gap), gap, count)
  groups.fill(0, gap, 8 - (count - gap))
}

export function isIPv4(ip: Ip): boolean {
  return startsWith(ip, MAPPED)
}

/** Canonical: dotted for IPv4, else as in RFC 5952. */
export function formatIp(ip: Ip): string {
  if (isIPv4(ip)) return dotted(ip[6] ?? 0, ip[7] ?? 0)
  const { from, length } = longestZeros(ip)
  const groups = Array.from(ip, (group) => group.toString(16))
  if (length < 2) return groups.join(':')
  return `${groups.slice(0, from).join(':')}::${groups.slice(from + length).join(':')}`
}

function longestZeros(ip: Ip): { from: number; length: number } {
  let longest = { from: 0, length: 0 }
  for (let from = 0; from < 8; from++) {
    let to = from
    while (to < 8 && ip[to] === 0) to++
    if (to - from > longest.length) longest = { from, length: to - from }
  }
  return longest
}

function dotted(high: number, low: number): string {
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`
}

/** An address in canonical form; a name as it is. Two hosts with the same result are the same. */
export function plainHost(host: string): string {
  // Most hosts are IPv4 addresses, which have one form.
  if (!host.includes(':')) return host
  const ip = parseIp(host)
  return ip === null ? host : formatIp(ip)
}

// Networks.

/** `10.0.0.0/8`, `fd00::/8`, or a single address. Null: it is neither. */
export function parseNetwork(text: string): Network | null {
  const slash = text.indexOf('/')
  const address = slash < 0 ? text : text.slice(0, slash)
  const start = address.includes('%') ? null : parseIp(address)
  if (start === null) return null
  // The length of a block in IPv6 notation counts 128 bits, also if its addresses are IPv4.
  const longest = address.includes(':') ? 128 : 32
  const length = slash < 0 ? String(longest) : text.slice(slash + 1)
  if (!/^\d{1,3}$/.test(length) || Number(length) > longest) return null
  return { start, prefix: Number(length) + 128 - longest }
}

/** `10.0.0.0/8`, `fd00::/8`, or one address. Canonical: the prefix length always written. */
export function parseCidr(value: unknown): Scalar<string> {
  const text = typeof value === 'string' ? value.toLowerCase() : ''
  if (text.length > 50 || parseNetwork(text) === null) {
    return bad(`must be an address block such as 10.0.0.0/8 or fd00::/8, not ${quote(value)}`)
  }
  const [address = '', length] = text.split('/')
  return good(`${address}/${Number(length ?? (address.includes(':') ? 128 : 32))}`)
}

/** Whether all addresses of `inner` are in `outer`. */
export function isWithin(inner: Network, outer: Network): boolean {
  return outer.prefix <= inner.prefix && contains(outer, inner.start)
}

export function contains({ start, prefix }: Network, ip: Ip): boolean {
  for (let bits = prefix, at = 0; bits > 0; bits -= 16, at++) {
    const mask = bits >= 16 ? 0xffff : 0xffff & (0xffff << (16 - bits))
    if ((((start[at] ?? 0) ^ (ip[at] ?? 0)) & mask) !== 0) return false
  }
  return true
}

/** `texts` are valid. Returns a check whether an address is in any of the networks; other text is in none. */
export function compileNetworks(texts: readonly string[]): (address: string) => boolean {
  const networks = texts.map(networkOf)
  if (networks.length === 0) return () => false
  const groups = new Uint16Array(8)
  return (address) => {
    if (!readIp(address, groups)) return false
    for (const network of networks) if (contains(network, groups)) return true
    return false
  }
}

function networkOf(text: string): Network {
  const network = parseNetwork(text)
  if (network === null) throw new Error(`${JSON.stringify(text)} is not an address block`)
  return network
}

function startsWith(ip: Ip, groups: readonly number[]): boolean {
  return groups.every((group, at) => ip[at] === group)
}

// Classes.

const LOOPBACK = ['127.0.0.0/8', '::1/128'].map(networkOf)

export function isLoopback(ip: Ip): boolean {
  return LOOPBACK.some((network) => contains(network, ip))
}

/** A loopback address, or a name for one (RFC 6761 section 6.3). */
export function isLoopbackHost(host: string): boolean {
  const ip = parseIp(host)
  return ip === null ? host === 'localhost' || host.endsWith('.localhost') : isLoopback(ip)
}

/** Whether a listener with this host accepts connections at all addresses of the machine, or at all IPv4 ones. */
export function isEverywhere(host: string): boolean {
  const plain = plainHost(host)
  return plain === '' || plain === '::' || plain === '0.0.0.0'
}

const MAPPED = [0, 0, 0, 0, 0, 0xffff]
const NAT64 = [0x64, 0xff9b, 0, 0, 0, 0]
const LOCAL_NAT64 = [0x64, 0xff9b, 1]

/**
 * The IPv4 addresses that an IPv6 address may be translated to: compatible and mapped (RFC 4291), translated (RFC 2765), NAT64
 * (RFC 6052, RFC 8215), 6to4 (RFC 3056), Teredo (RFC 4380) and ISATAP (RFC 5214).
 */
export function embeddedIPv4(ip: Ip): readonly Ip[] {
  const at = (index: number): number => ip[index] ?? 0
  const last = (): Ip => mapped(at(6), at(7))
  if (startsWith(ip, MAPPED) || startsWith(ip, NAT64)) return [last()]
  if (startsWith(ip, [0, 0, 0, 0, 0xffff, 0])) return [last()]
  if (startsWith(ip, [0, 0, 0, 0, 0, 0])) return at(6) === 0 ? [] : [last()]
  if (at(0) === 0x2002) return [mapped(at(1), at(2))]
  // The server, and the client with inverted bits.
  if (startsWith(ip, [0x2001, 0]))
    return [mapped(at(2), at(3)), mapped(at(6) ^ 0xffff, at(7) ^ 0xffff)]
  if (startsWith(ip, LOCAL_NAT64)) return [last(), ...within(at)]
  return at(5) === 0x5efe && (at(4) & 0xfdff) === 0 ? [last()] : []
}

/** After a prefix of 48, 56 or 64 bits the address skips bits 64 to 71, which are zero: RFC 6052 section 2.2. */
function within(at: (index: number) => number): readonly Ip[] {
  return [
    mapped(at(3), ((at(4) & 255) << 8) | (at(5) >> 8)),
    mapped(((at(3) & 255) << 8) | (at(4) & 255), at(5)),
    mapped(((at(4) & 255) << 8) | (at(5) >> 8), ((at(5) & 255) << 8) | (at(6) >> 8)),
  ]
}

function mapped(high: number, low: number): Ip {
  return Uint16Array.of(...MAPPED, high, low)
}
