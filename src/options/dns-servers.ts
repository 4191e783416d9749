/** A list of DNS servers. */
import type * as z from 'zod'
import { splitHostPort } from '../model/address.ts'
import { parseIp, plainHost } from '../model/ip.ts'
import { bad, good, quote, type Scalar } from '../model/parsed.ts'
import { texts } from './fields.ts'

const MAX_SERVERS = 8

export function dnsServers(description: string): z.ZodType<readonly string[]> {
  return texts(parseServer, MAX_SERVERS, description)
}

/** As c-ares takes it: an IPv6 address in brackets where a port follows. */
function parseServer(text: string): Scalar<string> {
  const split = parseIp(text) === null ? splitHostPort(text) : { host: text, port: null }
  const whole = split?.host.replace(/^\[|\]$/g, '') ?? ''
  const port = split?.port ?? 53
  if (parseIp(whole) === null || port < 1 || port > 65_535) {
    return bad(`must be the address of a DNS server such as 10.0.0.2:53, not ${quote(text)}`)
  }
  const address = plainHost(whole)
  return good(address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`)
}
