/** What a server answers to the key of a WebSocket's handshake (RFC 6455 section 4.2.2). */
import { hash } from 'node:crypto'

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

export function websocketAccept(key: string): string {
  return hash('sha1', key + GUID, 'base64')
}
