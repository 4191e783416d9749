/** Good clients of HTTP/2: some sessions of Node's own, over which requests go in turn, many at a time on each. */
import { type ClientHttp2Session, connect } from 'node:http2'
import { http2RequestOf } from './exchange.ts'

export interface Http2Seats {
  send(number: number, post: boolean): Promise<{ readonly status: number; readonly body: Buffer }>
}

/**
 * A session that has ended is opened anew for the next request. A request that never left is sent again there: nghttp2 sends no head
 * that it still has when a GOAWAY comes. One that the gateway refuses is a failure.
 */
export function openHttp2Seats(port: number, count: number): Http2Seats {
  const open = (): ClientHttp2Session => {
    const session = connect(`http://127.0.0.1:${port}`)
    // Its streams report it.
    session.on('error', () => {})
    return session
  }
  const sessions = Array.from({ length: count }, open)
  return {
    async send(number, post) {
      const seat = (number >> 1) % count
      let session = sessions[seat]
      if (session === undefined || session.closed || session.destroyed) {
        session = open()
        sessions[seat] = session
      }
      const answer = await ask(session, number, post)
      if (answer !== UNSENT) return answer
      const next = open()
      sessions[seat] = next
      const second = await ask(next, number, post)
      if (second === UNSENT) throw new Error('a new session did not send it')
      return second
    },
  }
}

const UNSENT = Symbol('unsent')

function ask(
  session: ClientHttp2Session,
  number: number,
  post: boolean,
): Promise<Awaited<ReturnType<Http2Seats['send']>> | typeof UNSENT> {
  return new Promise((resolve, reject) => {
    const { head, body } = http2RequestOf(number, post)
    const stream = session.request(head, { endStream: body === null })
    const pieces: Buffer[] = []
    let status = 0
    let isWhole = false
    stream.on('response', (fields) => (status = fields[':status'] ?? 0))
    stream.on('data', (bytes: Buffer) => pieces.push(bytes))
    stream.on('end', () => (isWhole = true))
    // A refusal by the gateway has no such event.
    stream.on('frameError', () => resolve(UNSENT))
    stream.on('error', (error) => setImmediate(reject, error))
    stream.on('close', () => {
      if (isWhole && status > 0) resolve({ status, body: Buffer.concat(pieces) })
      else reject(new Error('the stream ended before a whole response'))
    })
    if (body !== null) stream.end(body, 'latin1')
  })
}
