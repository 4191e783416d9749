/** An HTTP proxy in front of an admin: keeps what was asked and what was answered, as text. */
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'

export interface Recorded {
  /** `POST /v2/backends {"Backend":...}`; without a body `GET /v2/backends`. */
  readonly asked: string
  readonly status: number
  readonly answer: string
}

export interface Recorder {
  readonly origin: string
  /** What was recorded since the last call. */
  take(): readonly Recorded[]
}

export async function startRecorder(t: TestContext, port: number): Promise<Recorder> {
  let recorded: Recorded[] = []
  const server = createServer((incoming, outgoing) => {
    const { method = '', url = '', headers } = incoming
    let body = ''
    incoming.setEncoding('utf8').on('data', (piece: string) => (body += piece))
    incoming.once('end', () => {
      const asking = request(
        { host: '127.0.0.1', port, method, path: url, headers: { ...headers, host: 'localhost' } },
        (response) => {
          let answer = ''
          response.setEncoding('utf8').on('data', (piece: string) => (answer += piece))
          response.once('end', () => {
            const { statusCode: status = 0 } = response
            const asked = `${method} ${url} ${body}`.trimEnd()
            recorded.push({ asked, status, answer })
            outgoing.writeHead(status, { 'content-type': response.headers['content-type'] })
            outgoing.end(answer)
          })
        },
      )
      asking.once('error', () => outgoing.destroy())
      asking.end(body)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  t.after(() => server.closeAllConnections())
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    take() {
      const taken = recorded
      recorded = []
      return taken
    },
  }
}
