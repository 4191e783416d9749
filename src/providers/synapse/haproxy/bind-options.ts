/** The words of `bind_options`: what a listener is besides its address. */
import { quote, type JsonMap } from '../../../model/parsed.ts'
import type { Notes } from './draft.ts'

export interface BindOptions {
  readonly isTls: boolean
  /** A PEM file with chain and key; null: there is none. */
  readonly certificate: string | null
  readonly acceptsProxy: boolean
}

/** TLS 1.2 is the least that Sluice speaks, with ciphers of its own choice. */
const NOT_NEEDED: ReadonlyMap<string, number> = new Map(
  Object.entries({
    ...{ 'no-sslv3': 0, 'no-tlsv10': 0, 'no-tlsv11': 0, 'no-tls-tickets': 0, 'force-tlsv12': 0 },
    ...{ ciphers: 1, ciphersuites: 1, alpn: 1, npn: 1, curves: 1, ecdhe: 1 },
    ...{ 'ssl-min-ver': 1, 'ssl-max-ver': 1, 'tls-ticket-keys': 1 },
    ...{ name: 1, id: 1, process: 1, thread: 1, nice: 1, backlog: 1, 'defer-accept': 0, tfo: 0 },
    ...{ level: 1, 'severity-output': 1, maxconn: 1, mss: 1, v4v6: 0, shards: 1 },
  }),
)
/** What keeps clients out. */
const GUARDS: ReadonlySet<string> = new Set(['ca-file', 'ca-verify-file', 'verify', 'crl-file'])

export function readBindOptions(text: string, notes: Notes): BindOptions {
  const list = text.split(/\s+/).filter((word) => word !== '')
  const found = { isTls: false, certificate: null as string | null, acceptsProxy: false }
  for (let at = 0; at < list.length; at++) {
    const word = list[at] ?? ''
    const argument = list[at + 1] ?? ''
    const skipped = NOT_NEEDED.get(word)
    if (skipped !== undefined) at += skipped
    else if (word === 'ssl') found.isTls = true
    else if (word === 'accept-proxy') found.acceptsProxy = true
    else if (word === 'crt') {
      found.certificate ??= argument
      at += 1
    } else if (GUARDS.has(word)) {
      at += 1
      if (word === 'verify' && argument === 'none') continue
      notes.refusals.push(
        `bind_options has ${quote(`${word} ${argument}`)}: clients without a certificate would be let in, because Sluice does not verify those of clients`,
      )
    } else notes.warnings.push(`bind_options: ${quote(word)} has no counterpart and is left out`)
  }
  if (found.isTls && found.certificate === null)
    notes.refusals.push('bind_options has ssl without crt')
  return found
}

/** Members of the listener. */
export function bindMembers(bind: BindOptions, mode: 'http' | 'tcp'): JsonMap {
  const { isTls, certificate, acceptsProxy } = bind
  return {
    protocol: mode === 'tcp' ? 'tcp' : isTls ? 'https' : 'http',
    ...(isTls ? { tls: { certificates: [{ cert: certificate, key: certificate }] } } : {}),
    // HAProxy expects the header from everyone.
    ...(acceptsProxy ? { proxyProtocol: { trusted: ['0.0.0.0/0', '::/0'] } } : {}),
  }
}
