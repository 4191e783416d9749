/** A client that sends the bytes it is given and reads answers strictly, over TCP or TLS. */
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTlsSocket, type ConnectionOptions, type TLSSocket } from 'node:tls'
import type { TestContext } from 'node:test'
import { createReader, type Message } from './message.ts'
import { createWatch, turn } from './until.ts'

export interface ReceivedResponse extends Message {
  readonly status: number
  /** The 1xx answers before it. */
  readonly interim: readonly (Message & { readonly status: number })[]
}

/** How the other side ended the connection: in order, or by a reset. */
export type Ending = 'fin' | 'reset'

export interface Client {
  readonly socket: Socket
  /** Bytes that have arrived so far, read as messages or not. */
  received(): number
  send(bytes: string | Buffer): void
  /** Each piece in a write of its own, a turn of the event loop apart. */
  sendPieces(pieces: readonly (string | Buffer)[]): Promise<void>
  /** The next message, interim or final. */
  message(method?: string): Promise<Message & { readonly status: number }>
  /** The next final response; a 101 is final. */
  readResponse(method?: string): Promise<ReceivedResponse>
  /** Sends a request and reads its response; the method is taken from the request's first word. */
  ask(request: string, patienceMs?: number): Promise<ReceivedResponse>
  /** The next message that is there already, or null. */
  poll(method?: string): Message | null
  /** The connection has ended. */
  closed(patienceMs?: number): Promise<Ending>
  /** Bytes that were read as no message, latin1; what a tunnel carries. */
  rest(): string
  /** Waits until the unread bytes are at least `length`. */
  bytes(length: number): Promise<string>
  /** The response that is being read, as far as it is there. */
  partial(): Message | null
  ending(): Ending | null
  end(): void
  reset(): void
  stopReading(): void
  startReading(): void
}

export async function openClient(t: TestContext, port: number): Promise<Client> {
  const client = await connectClient(port)
  t.after(() => client.socket.destroy())
  return client
}

/** The caller closes it. */
export async function connectClient(port: number): Promise<Client> {
  const socket = connectTcp({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true })
  const client = createClient(socket)
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', reject)
  })
  return client
}

export interface TlsClient extends Client {
  readonly socket: TLSSocket
}

export async function openTlsClient(
  t: TestContext,
  port: number,
  options: ConnectionOptions,
): Promise<TlsClient> {
  const socket = connectTlsSocket({ port, host: '127.0.0.1', ...options })
  t.after(() => socket.destroy())
  const client = createClient(socket)
  await new Promise<void>((resolve, reject) => {
    socket.once('secureConnect', resolve)
    socket.once('error', reject)
  })
  return { ...client, socket }
}

function createClient(socket: Socket): Client {
  const reader = createReader('response')
  const watch = createWatch()
  let received = 0
  let ending: Ending | null = null

  socket.on('data', (bytes: Buffer) => {
    received += bytes.length
    reader.push(bytes)
    watch.changed()
  })
  socket.on('end', () => {
    reader.end()
    ending ??= 'fin'
    socket.end()
    watch.changed()
  })
  socket.on('error', () => {
    ending ??= 'reset'
    watch.changed()
  })
  socket.on('close', () => {
    ending ??= 'reset'
    watch.changed()
  })

  async function message(
    method = 'GET',
    patienceMs?: number,
  ): Promise<Message & { status: number }> {
    const whole = await watch.until(
      () => {
        const next = reader.next(method)
        if (next === null && ending !== null) {
          const seen = reader.current()
          throw new Error(
            `the connection ended (${ending}) before a whole response; read ` +
              JSON.stringify(seen === null ? reader.rest().toString('latin1') : seen.head) +
              (seen === null ? '' : ` and ${seen.body.length} bytes of its body`),
          )
        }
        return next
      },
      'a whole response',
      patienceMs,
    )
    return { ...whole, status: Number(whole.line.slice(9, 12)) }
  }

  async function response(method = 'GET', patienceMs?: number): Promise<ReceivedResponse> {
    const interim: (Message & { status: number })[] = []
    for (;;) {
      const next = await message(method, patienceMs)
      if (next.status >= 200 || next.status === 101) return { ...next, interim }
      interim.push(next)
    }
  }

  function send(bytes: string | Buffer): void {
    socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
  }

  return {
    socket,
    received: () => received,
    send,
    async sendPieces(pieces) {
      for (const piece of pieces) {
        if (ending !== null) return
        send(piece)
        await turn()
      }
    },
    message,
    readResponse: response,
    ask(request, patienceMs) {
      send(request)
      return response(request.slice(0, request.indexOf(' ')), patienceMs)
    },
    poll: (method) => reader.next(method),
    closed: (patienceMs) => watch.until(() => ending, 'the end of the connection', patienceMs),
    rest: () => reader.rest().toString('latin1'),
    async bytes(length) {
      await watch.until(() => {
        if (reader.rest().length < length && ending !== null) {
          throw new Error(`the connection ended (${ending}) after ${reader.rest().length} bytes`)
        }
        return reader.rest().length >= length
      }, `${length} bytes`)
      return reader.rest().toString('latin1')
    },
    partial() {
      reader.next()
      return reader.current()
    },
    ending: () => ending,
    end: () => void socket.end(),
    reset: () => void socket.resetAndDestroy(),
    stopReading: () => void socket.pause(),
    startReading: () => void socket.resume(),
  }
}

/** One exchange on a connection of its own. */
export async function exchange(
  t: TestContext,
  port: number,
  request: string,
): Promise<ReceivedResponse & { readonly client: Client }> {
  const client = await openClient(t, port)
  const response = await client.ask(request)
  return { ...response, client }
}
