/**
 * A server for the gateway to talk to, at the level of bytes: it records every connection and request exactly as they came
 * and responds with the bytes of its script, in pieces, late, cut short, or never.
 */
import { createServer as createHttpServer } from 'node:http'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { createServer as createTlsServer, type TlsOptions } from 'node:tls'
import { createReader, type Field, type Message } from './message.ts'
import { createWatch, turn } from './until.ts'

export interface OriginConnection {
  /** 1, 2, 3 ... in the order of acceptance. */
  readonly number: number
  readonly socket: Socket
  /** Every byte that arrived, latin1. Emptied by `forget`. */
  raw(): string
  received(): number
  write(bytes: string | Buffer): void
  writePieces(pieces: readonly (string | Buffer)[]): Promise<void>
  /** FIN after what was written. */
  end(bytes?: string): void
  /** RST now. */
  reset(): void
  stopReading(): void
  startReading(): void
  /** From here on the bytes are no requests: `tunnelled` gives them. */
  tunnel(): void
  tunnelled(): string
  /** Resolves when the other side has ended it, or it is gone; when that was (performance.now). */
  gone(patienceMs?: number): Promise<number>
  isOpen(): boolean
}

export interface OriginRequest {
  readonly connection: OriginConnection
  readonly line: string
  readonly method: string
  readonly target: string
  readonly head: string
  readonly fields: readonly Field[]
  /** The message as far as it has arrived. */
  message(): Message
  body(): string
  isComplete(): boolean
  /** Resolves when the request is complete; stays pending when it never is. */
  whole(): Promise<void>
}

export type Script = (request: OriginRequest, connection: OriginConnection) => void | Promise<void>

export interface Origin {
  readonly port: number
  readonly url: string
  readonly connections: readonly OriginConnection[]
  readonly requests: readonly OriginRequest[]
  /** Connections that are open now. */
  open(): number
  /** The request with this number (from 1), once its head is there. */
  request(number: number): Promise<OriginRequest>
  until<T>(look: () => T | undefined | null | false, what: string): Promise<T>
  /** Forgets what it recorded so far. */
  forget(): void
  /** Answers from now on so. */
  follow(script: Script | string): void
  close(): Promise<void>
}

export const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

/** Answers with these bytes when the request is whole. */
export function respondWith(bytes: string): Script {
  return async (request, connection) => {
    await request.whole()
    connection.write(bytes)
  }
}

export async function startOrigin(
  t: TestContext,
  script: Script | string = OK,
  tls?: TlsOptions,
): Promise<Origin> {
  const watch = createWatch()
  let connections: OriginConnection[] = []
  let requests: OriginRequest[] = []
  let accepted = 0
  let current = typeof script === 'string' ? respondWith(script) : script

  const accept = (socket: Socket): void => {
    socket.setNoDelay(true)
    const connection = followConnection(socket, ++accepted, watch, (request) => {
      requests.push(request)
      watch.changed()
      void current(request, connection)
    })
    connections.push(connection)
    watch.changed()
  }
  const server =
    tls === undefined
      ? createServer({ allowHalfOpen: true }, accept)
      : createTlsServer({ ...tls, allowHalfOpen: true }, accept).on('tlsClientError', () => {})
  const port = await listen(server)
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  })
  const close = (): Promise<void> => closeServer(server, sockets)
  t.after(close)

  return {
    port,
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    get connections() {
      return connections
    },
    get requests() {
      return requests
    },
    open: () => connections.filter((connection) => connection.isOpen()).length,
    request: (number) => watch.until(() => requests[number - 1], `request ${number} at the origin`),
    until: (look, what) => watch.until(look, what),
    forget() {
      connections = connections.filter((connection) => connection.isOpen())
      requests = []
    },
    follow(next) {
      current = typeof next === 'string' ? respondWith(next) : next
    },
    close,
  }
}

function followConnection(
  socket: Socket,
  number: number,
  watch: ReturnType<typeof createWatch>,
  onRequest: (request: OriginRequest) => void,
): OriginConnection {
  const reader = createReader('request')
  const raw: Buffer[] = []
  let received = 0
  let goneAt = 0
  let isTunnel = false
  let open: { finish(message: Message): void } | null = null

  const leave = (): void => {
    if (goneAt === 0) goneAt = performance.now()
    watch.changed()
  }
  socket.on('data', (bytes: Buffer) => {
    received += bytes.length
    // The beginning is enough to look at; gigabytes need not be kept.
    if (received < 1 << 22) raw.push(bytes)
    reader.push(bytes)
    advance()
    watch.changed()
  })
  socket.on('end', leave)
  socket.on('error', leave)
  socket.on('close', leave)

  function advance(): void {
    while (!isTunnel) {
      const whole = reader.next()
      const message = whole ?? reader.current()
      if (message === null) return
      open ??= begin(message)
      if (whole === null) return
      open.finish(whole)
      open = null
    }
  }

  function begin(first: Message): { finish(message: Message): void } {
    let last: Message | null = null
    const [method = '', target = ''] = first.line.split(' ')
    onRequest({
      connection,
      line: first.line,
      method,
      target,
      head: first.head,
      fields: first.fields,
      message: () => last ?? reader.current() ?? first,
      body: () => (last ?? reader.current() ?? first).body.toString('latin1'),
      isComplete: () => last !== null,
      whole: () => watch.until(() => last !== null, 'the whole request', Infinity).then(() => {}),
    })
    return {
      finish(message) {
        last = message
      },
    }
  }

  const connection: OriginConnection = {
    number,
    socket,
    raw: () => Buffer.concat(raw).toString('latin1'),
    received: () => received,
    write: (bytes) =>
      void socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes),
    async writePieces(pieces) {
      for (const piece of pieces) {
        if (socket.destroyed) return
        connection.write(piece)
        await turn()
      }
    },
    end(bytes) {
      if (bytes !== undefined) connection.write(bytes)
      socket.end()
    },
    reset: () => void socket.resetAndDestroy(),
    stopReading: () => void socket.pause(),
    startReading: () => void socket.resume(),
    tunnel() {
      isTunnel = true
    },
    tunnelled: () => (isTunnel ? reader.rest().toString('latin1') : ''),
    gone: (patienceMs) => watch.until(() => goneAt, 'the end of the connection', patienceMs),
    isOpen: () => goneAt === 0,
  }
  return connection
}

export interface HttpRequestSeen {
  readonly method: string
  readonly target: string
  readonly fields: readonly Field[]
  readonly body: string
}

/** An ordinary `node:http` server that records what it sees and answers 200 with the body it was sent. */
export async function startEchoOrigin(
  t: TestContext,
): Promise<{ readonly port: number; readonly url: string; readonly requests: HttpRequestSeen[] }> {
  const requests: HttpRequestSeen[] = []
  const server = createHttpServer({ maxHeaderSize: 65_536 }, (request, response) => {
    const body: Buffer[] = []
    request.on('data', (bytes: Buffer) => body.push(bytes))
    request.on('end', () => {
      const whole = Buffer.concat(body)
      requests.push({
        method: request.method ?? '',
        target: request.url ?? '',
        fields: toFields(request.rawHeaders),
        body: whole.toString('latin1'),
      })
      response.writeHead(200, { 'Content-Length': whole.length })
      response.end(whole)
    })
  })
  const port = await listen(server)
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return { port, url: `http://127.0.0.1:${port}`, requests }
}

/** Node's flat list of names and values as pairs. */
export function toFields(flat: readonly string[]): Field[] {
  const fields: Field[] = []
  for (let i = 0; i < flat.length; i += 2) fields.push([flat[i] ?? '', flat[i + 1] ?? ''])
  return fields
}

export function listen(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port))
  })
}

async function closeServer(server: Server, sockets: ReadonlySet<Socket>): Promise<void> {
  for (const socket of sockets) socket.destroy()
  if (!server.listening) return
  await new Promise<void>((resolve) => server.close(() => resolve()))
}
