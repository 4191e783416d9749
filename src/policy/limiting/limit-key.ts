/**
 * The key of a limit: `client.ip`, `request.host` or `request.header.Name`, in vulcand's notation. IPv6 clients are identified
 * by their network, /64 by default, because one client has the whole of it.
 *
 * Requests without the header share one empty key. Several lines of a header are one list (RFC 9110 section 5.3).
 */
import { readIp } from '../../model/ip.ts'
import { TCHAR } from '../../model/names.ts'

export type LimitKey =
  | { readonly of: 'client.ip'; readonly prefix: number }
  | { readonly of: 'request.host' }
  | { readonly of: 'request.header'; readonly name: string }

export type ParsedLimitKey =
  | { readonly ok: true; readonly variable: LimitKey }
  | { readonly ok: false; readonly message: string }

export interface KeyedRequest {
  readonly clientIp: string
  readonly host: string
  /** All of its lines, by its name in lower case. */
  field(name: string): string | undefined
}

const DEFAULT_PREFIX = 64
const CLIENT_IP = /^client\.ip(?:\/(\d{1,3}))?$/
const HEADER = new RegExp(`^request\\.header\\.(${TCHAR}{1,128})$`)

export function parseLimitKey(text: string): ParsedLimitKey {
  if (text === 'request.host') return { ok: true, variable: { of: 'request.host' } }
  const header = HEADER.exec(text)?.[1]
  if (header !== undefined)
    return { ok: true, variable: { of: 'request.header', name: header.toLowerCase() } }
  const client = CLIENT_IP.exec(text)
  if (client === null) {
    const message =
      'must be client.ip, client.ip/56 (with the length of IPv6 networks), request.host or request.header.Name'
    return { ok: false, message }
  }
  const prefix = Number(client[1] ?? DEFAULT_PREFIX)
  if (prefix < 1 || prefix > 128)
    return { ok: false, message: 'the length of IPv6 networks must be from 1 to 128' }
  return { ok: true, variable: { of: 'client.ip', prefix } }
}

/** Returns a function from a request to its key. */
export function compileLimitKey(variable: LimitKey): (request: KeyedRequest) => string {
  switch (variable.of) {
    case 'client.ip': {
      const { prefix } = variable
      return ({ clientIp }) => (clientIp.includes(':') ? networkOf(clientIp, prefix) : clientIp)
    }
    case 'request.host':
      return ({ host }) => host
    case 'request.header': {
      const { name } = variable
      return (request) => request.field(name) ?? ''
    }
    default:
      return variable satisfies never
  }
}

/** Independent of how the address is written: `2001:db8::1` and `2001:DB8:0:0::2` are in one /64. */
function networkOf(address: string, prefix: number): string {
  readIp(address, groups)
  let text = ''
  for (let bits = prefix, at = 0; bits > 0; bits -= 16, at++) {
    const group = groups[at] ?? 0
    text += `${bits >= 16 ? group : group & (0xffff << (16 - bits))}:`
  }
  return `${text}/${prefix}`
}

/** The groups of the last address, to allocate nothing per request. */
const groups = new Uint16Array(8)
