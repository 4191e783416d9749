/**
 * Addresses that no backend may have: a writer to a registry must not be able to read the cloud's metadata service through
 * Sluice. Declared urls are checked here, and the addresses of a name each time it is resolved.
 */
import { contains, embeddedIPv4, parseIp, parseNetwork, type Ip, type Network } from './ip.ts'

const METADATA_NAMES: ReadonlySet<string> = new Set(['metadata.google.internal', 'metadata.goog'])

interface Denied {
  readonly networks: readonly Network[]
  readonly reason: string
}

const DENIED: readonly Denied[] = [
  // Alibaba, Azure, Oracle, AWS (instances, pods), Google.
  deny('is a cloud metadata service', [
    ...['100.100.100.200', '168.63.129.16', '192.0.0.192'],
    ...['fd00:ec2::254', 'fd00:ec2::23', 'fd20:ce::254'],
  ]),
  deny('is the unspecified address', ['0.0.0.0/8', '::/128']),
  deny('is a link-local address', ['169.254.0.0/16', 'fe80::/10']),
]

function deny(reason: string, texts: readonly string[]): Denied {
  return { reason, networks: texts.flatMap((text) => parseNetwork(text) ?? []) }
}

/** `host`: a name, or an address in any spelling. Returns the reason, or null if it may be reached. */
export function denyHost(host: string): string | null {
  const ip = parseIp(host)
  if (ip !== null) return denyIp(ip)
  const name = host.endsWith('.') ? host.slice(0, -1) : host
  return METADATA_NAMES.has(name.toLowerCase()) ? 'is a cloud metadata service' : null
}

function denyIp(ip: Ip): string | null {
  const all = [ip, ...embeddedIPv4(ip)]
  const found = DENIED.find(({ networks }) =>
    networks.some((network) => all.some((one) => contains(network, one))),
  )
  return found?.reason ?? null
}
