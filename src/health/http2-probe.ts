/** The request of a health check by HTTP/2, on a connection that is open. `node:http2` serves for one small request a connection. */
import type { OutgoingHttpHeaders } from 'node:http2'
import type { Socket } from 'node:net'

export interface Http2ProbeRequest {
  /** Of the server: `https://vote.example:443`. */
  readonly origin: string
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
}

export interface Http2ProbeResponse {
  readonly statusCode: number
  readonly body: AsyncIterable<Uint8Array>
}

/** Rejects if there is no response. The caller closes the socket. */
export async function requestHttp2(
  socket: Socket,
  { origin, method, path, headers }: Http2ProbeRequest,
): Promise<Http2ProbeResponse> {
  const { connect } = await import('node:http2')
  const session = connect(origin, { createConnection: () => socket })
  return new Promise((resolve, reject) => {
    session.on('error', reject)
    // Without an error, as if the server closes the connection.
    session.on('close', () => reject(new Error('the connection was closed')))
    const stream = session.request({ ...headersOf(headers), ':method': method, ':path': path })
    // Later ones end the body.
    stream.on('error', reject)
    stream.on('response', ({ ':status': status = 0 }) =>
      resolve({ statusCode: status, body: stream as AsyncIterable<Uint8Array> }),
    )
    stream.end()
  })
}

function headersOf(headers: Readonly<Record<string, string>>): OutgoingHttpHeaders {
  const { host, ...others } = headers
  return { ...others, ...(host === undefined ? {} : { ':authority': host }) }
}
