/** Writes PROXY headers: for connections to servers, and for health probes. */
import { formatIp, type Ip, isIPv4, parseIp } from '../../model/ip.ts'
import {
  AFTER_SIGNATURE,
  COMMAND,
  FAMILY,
  type ProxiedAddresses,
  SIGNATURE,
  VERSION,
} from './header.ts'

const NO_ADDRESSES: ProxiedAddresses = { source: null, destination: null }
const STREAM = 1

/**
 * Without addresses, or with a host that is no address, it is LOCAL or UNKNOWN: the connection is the proxy's own, or the
 * client is not known. IPv4-mapped addresses are written as IPv4; of two families, IPv4 is written as IPv4-mapped IPv6.
 */
export function writeProxyHeader(
  version: 1 | 2,
  { source, destination }: ProxiedAddresses = NO_ADDRESSES,
): Buffer {
  const from = source === null ? null : parseIp(source.host)
  const to = destination === null ? null : parseIp(destination.host)
  if (source === null || destination === null || from === null || to === null)
    return version === 1 ? Buffer.from('PROXY UNKNOWN\r\n', 'latin1') : binary(COMMAND.local, 0, [])
  return version === 1
    ? line(from, to, [source.port, destination.port])
    : addresses(from, to, [source.port, destination.port])
}

type Ports = readonly [number, number]

function line(from: Ip, to: Ip, [fromPort, toPort]: Ports): Buffer {
  const isV4 = isIPv4(from) && isIPv4(to)
  const hosts = [from, to].map((ip) =>
    !isV4 && isIPv4(ip) ? `::ffff:${formatIp(ip)}` : formatIp(ip),
  )
  const text = `PROXY TCP${isV4 ? 4 : 6} ${hosts.join(' ')} ${fromPort} ${toPort}\r\n`
  return Buffer.from(text, 'latin1')
}

function addresses(from: Ip, to: Ip, ports: Ports): Buffer {
  const isV4 = isIPv4(from) && isIPv4(to)
  // An IPv4 address is in the last two groups.
  const groups = [from, to].flatMap((ip) => [...ip.subarray(isV4 ? 6 : 0)])
  const family = isV4 ? FAMILY.ipv4 : FAMILY.ipv6
  return binary(COMMAND.proxy, (family << 4) | STREAM, [...groups, ...ports])
}

function binary(command: number, familyAndTransport: number, numbers: readonly number[]): Buffer {
  const at = SIGNATURE.length
  const header = Buffer.alloc(at + AFTER_SIGNATURE + 2 * numbers.length)
  SIGNATURE.copy(header)
  header[at] = (VERSION << 4) | command
  header[at + 1] = familyAndTransport
  header.writeUInt16BE(2 * numbers.length, at + 2)
  numbers.forEach((number, index) => header.writeUInt16BE(number, at + AFTER_SIGNATURE + 2 * index))
  return header
}
