/** The handshake of HTTP/1.1 for a WebSocket of HTTP/2, which has no key of its own (RFC 8441 section 5, RFC 6455 section 4). */
import { randomBytes } from 'node:crypto'
import { fieldValue, withoutFields } from '../http/message/fields.ts'
import type { RequestHead } from '../http/message/request-head.ts'
import { websocketAccept } from '../http/message/websocket-accept.ts'

const OF_THE_REQUEST: ReadonlySet<string> = new Set(['sec-websocket-key'])
const OF_THE_RESPONSE: ReadonlySet<string> = new Set(['sec-websocket-accept'])

export class WebSocketKey {
  readonly #accept: string

  /** Adds the key to the head. */
  constructor(head: RequestHead) {
    const key = randomBytes(16).toString('base64')
    this.#accept = websocketAccept(key)
    head.fields = `${withoutFields(head.fields, OF_THE_REQUEST)}Sec-WebSocket-Key: ${key}\r\n`
  }

  /** Whether the server has understood the handshake. */
  accepts(fields: string): boolean {
    return fieldValue(fields, 'sec-websocket-accept') === this.#accept
  }

  withoutAccept(fields: string): string {
    return withoutFields(fields, OF_THE_RESPONSE)
  }
}
