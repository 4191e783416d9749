/**
 * What a frontend adds to the forwarding headers: `forwarded: { trust: true, server: edge-1 }`, as vulcand's TrustForwardHeader and
 * Hostname. They concern the server only: whose word counts for routes and limits is the setting `trusted`.
 */
import type { Exchange } from '../http/exchange.ts'
import { fieldValue, withoutFields } from '../http/message/fields.ts'
import type { MiddlewareKind } from './middleware.ts'

interface ForwardedOptions {
  readonly trust: boolean
  readonly server: string | null
}

/** Those that vulcand passes on. */
const PASSED_ON: ReadonlySet<string> = new Set([
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-proto',
  'x-forwarded-server',
  'x-real-ip',
])
const FOR = 'x-forwarded-for'
const SERVER: ReadonlySet<string> = new Set(['x-forwarded-server'])

export const forwarded: MiddlewareKind<ForwardedOptions> = {
  kind: 'forwarded',
  options: ({ strict, flag, orNull, headerValue }) =>
    strict(
      {
        trust: flag(
          'Passes on the forwarding headers of every client, which a server then believes.',
          false,
        ),
        server: orNull(headerValue('X-Forwarded-Server for the server.')),
      },
      'Forwarding headers for the servers of one frontend.',
    ),
  compile({ trust, server }) {
    return {
      onRequest(exchange) {
        if (trust && !exchange.head.isTrusted) passOn(exchange)
        if (server !== null)
          exchange.added = `${withoutFields(exchange.added, SERVER)}X-Forwarded-Server: ${server}\r\n`
        return null
      },
    }
  },
}

/** Continues the fields that were dropped when the head was read, as those of a trusted peer are continued then. */
function passOn(exchange: Exchange): void {
  const lines = receivedLines(exchange.head.received)
  if (lines === '') return
  const hops = fieldValue(lines, FOR)
  const replaced = new Set([...PASSED_ON].filter((name) => fieldValue(lines, name) !== undefined))
  const own = withoutFields(exchange.added, replaced)
  const others = withoutFields(lines, new Set([FOR]))
  const list = hops === undefined ? '' : `X-Forwarded-For: ${hops}, ${exchange.peerIp}\r\n`
  exchange.added = list + others + own
}

/** `received` may begin with a request line. */
function receivedLines(received: string): string {
  let lines = ''
  for (const line of received.split('\r\n')) {
    const name = line.slice(0, Math.max(0, line.indexOf(':'))).toLowerCase()
    if (PASSED_ON.has(name)) lines += `${line}\r\n`
  }
  return lines
}
