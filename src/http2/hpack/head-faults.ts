/** RFC 9113 sections 8.3.1, 8.3.2 and 8.5: what a head must have, and what fits together. */
import type { HeadDecoder } from './head-decoder.ts'

type DecodedHead = Pick<
  HeadDecoder,
  'kind' | 'status' | 'method' | 'scheme' | 'path' | 'authority' | 'protocol' | 'host'
>

/** '' for none. `extendedConnect`: the peer may use `:protocol` (RFC 8441). */
export function faultOfHead(head: DecodedHead, extendedConnect: boolean): string {
  const { kind, status, method, scheme, path, authority, protocol, host } = head
  if (kind === 'response') return status === 0 ? 'there is no :status' : ''
  if (method === '') return 'there is no :method'
  if (protocol !== '' && !extendedConnect) return ':protocol is not announced by this side'
  if (method === 'CONNECT' && protocol === '') {
    if (scheme !== '' || path !== '') return 'CONNECT has :scheme or :path'
    if (authority === '') return 'CONNECT has no :authority'
  } else {
    if (scheme === '') return 'there is no :scheme'
    if (path === '') return 'there is no :path'
    if (path === '*' && method !== 'OPTIONS') return ':path is "*" without OPTIONS'
    if (protocol !== '' && method !== 'CONNECT') return ':protocol is there without CONNECT'
  }
  if (authority === '' || host === '' || host === authority) return ''
  return host.toLowerCase() === authority.toLowerCase() ? '' : 'Host is not what :authority is'
}
