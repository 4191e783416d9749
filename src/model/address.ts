/** An address to listen on: `host:port`, `[::1]:port`, and `:port` (or `*:port`) for every interface. */
import { bracketHost, parseHost } from './host.ts'
import { quote } from './parsed.ts'
import { bad, good, type Scalar } from './scalar.ts'
import type { Address } from './snapshot.ts'

const FORM = /^(\[[^\]]*\]|[^:[\]]*):(\d{1,5})$/

/**
 * The host of `:8080` is '': node:net then takes :: and 0.0.0.0 together where there is IPv6, and 0.0.0.0 alone where
 * there is none, which no written address does.
 */
export function parseAddress(value: unknown): Scalar<Address> {
  if (value === undefined) return bad('is missing')
  const match = typeof value === 'string' && value.length <= 300 ? FORM.exec(value) : null
  if (match === null) {
    return bad(
      `must be an address such as 127.0.0.1:8080, :8080 or [::1]:8080, not ${quote(value)}`,
    )
  }
  const port = Number(match[2])
  if (port > 65_535) return bad(`the port must be from 0 to 65535, not ${quote(String(port))}`)
  const text = match[1] ?? ''
  if (text === '' || text === '*') return good({ host: '', port })
  const host = parseHost(text)
  return host.ok ? good({ host: host.value, port }) : host
}

export function formatAddress(address: Address): string {
  return `${bracketHost(address.host)}:${address.port}`
}
