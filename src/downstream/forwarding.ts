/**
 * The forwarding fields of a request to a server: X-Forwarded-For, -Proto, -Host, -Port, X-Real-Ip, X-Request-Id. Those of a
 * trusted peer are kept and extended; those of other peers were dropped when the head was read.
 */
import { randomBytes } from 'node:crypto'
import { portOf } from '../http/message/authority.ts'
import { safeValue } from '../http/message/fields.ts'
import type { ForwardedFields } from '../http/message/forwarded-fields.ts'
import { hopsOf } from './forwarded-client.ts'

const ID_PREFIX = flattened(`${randomBytes(8).toString('hex')}-`)
let idCounter = 0

/** Unique across processes by its prefix, across requests by its counter. */
export function createRequestId(): string {
  return `${ID_PREFIX}${(++idCounter).toString(16)}`
}

/** The fields for an untrusted peer, without the request id, so that a connection creates them once per authority. */
export class ForwardingFields {
  readonly #scheme: 'http' | 'https'
  readonly #before: string
  readonly #after: string

  constructor(ip: string, scheme: 'http' | 'https') {
    this.#scheme = scheme
    this.#before = flattened(`X-Forwarded-For: ${ip}\r\nX-Forwarded-Proto: ${scheme}\r\n`)
    this.#after = flattened(`\r\nX-Real-Ip: ${ip}\r\nX-Request-Id: `)
  }

  of(authority: string): string {
    const port = portOf(authority, this.#scheme)
    return `${this.#before}${hostLine(authority)}X-Forwarded-Port: ${port}${this.#after}`
  }
}

/** The fields for a trusted peer that sent some. */
export function continuedForwardingFields(
  forwarded: ForwardedFields,
  ip: string,
  client: string,
  scheme: 'http' | 'https',
  authority: string,
): string {
  const { has } = forwarded
  const before = forwarded.for === '' ? hopsOf(forwarded.forwarded) : safeValue(forwarded.for)
  const hops = before === '' ? ip : `${before}, ${ip}`
  return (
    `X-Forwarded-For: ${hops}\r\n${forwarded.runs}` +
    (has.proto ? '' : `X-Forwarded-Proto: ${scheme}\r\n`) +
    (has.host ? '' : hostLine(authority)) +
    (has.port ? '' : `X-Forwarded-Port: ${portOf(authority, scheme)}\r\n`) +
    (has.realIp ? '' : `X-Real-Ip: ${client}\r\n`) +
    'X-Request-Id: '
  )
}

/** The same text in one piece. V8 keeps a text that was put together as a tree, which each request that includes it would walk. */
function flattened(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1')
}

/** HTTP/1.0 may have no host. */
function hostLine(authority: string): string {
  return authority === '' ? '' : `X-Forwarded-Host: ${authority}\r\n`
}
