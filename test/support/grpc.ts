/**
 * Peers that speak gRPC, with @grpc/grpc-js: a server of `test.Echo` whose messages are plain bytes, and a client of it.
 *
 * unary: what the first letter of the message says (see `ANSWERS`), else the message itself
 * collect (client stream): the number of messages and of bytes, `3 21`
 * repeat (server stream): the message, as often as it says (`hello*5`); `hello*0!` never ends
 * chat (bidirectional): each message, as it comes
 */
import type { EventEmitter } from 'node:events'
import {
  Client,
  credentials,
  type ChannelOptions,
  Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerOptions,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  type ServiceDefinition,
  type ServiceError,
  status,
} from '@grpc/grpc-js'
import type { Owner } from './daemon.ts'

const asIs = (bytes: Buffer): Buffer => bytes

function method(
  name: string,
  requestStream: boolean,
  responseStream: boolean,
  service = 'test.Echo',
): ServiceDefinition[string] {
  return {
    path: `/${service}/${name}`,
    requestStream,
    responseStream,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  }
}

const ECHO = {
  unary: method('Unary', false, false),
  collect: method('Collect', true, false),
  repeat: method('Repeat', false, true),
  chat: method('Chat', true, true),
}

/** For the route of config/examples/grpc.yaml. */
const CART = { add: method('Add', false, false, 'shop.Cart') }

const HEALTH = { check: method('Check', false, false, 'grpc.health.v1.Health') }

export interface GrpcOrigin {
  readonly port: number
  /** Calls that have begun, with their metadata, oldest first. */
  readonly calls: readonly {
    readonly path: string
    readonly metadata: Metadata
    readonly deadline: number
  }[]
  /** How many of them the client has cancelled. */
  readonly cancelled: () => number
  /** How many are open. */
  readonly open: () => number
  /** What Health/Check says of each service. Null: it has no such service. */
  readonly health: Map<string, number>
  /** Closes all connections, as a process that is killed. */
  kill(): void
}

export interface GrpcOriginOptions {
  readonly options?: ServerOptions
  readonly tls?: { readonly cert: string; readonly key: string }
  readonly hasHealth?: boolean
  readonly port?: number
}

type Unary = ServerUnaryCall<Buffer, Buffer>

/** By the begin of a unary message. */
const ANSWERS: Readonly<Record<string, (call: Unary, done: sendUnaryData<Buffer>) => void>> = {
  'fail ': (call, done) => {
    const [, code = '2', ...words] = call.request.toString().split(' ')
    done({ code: Number(code), details: words.join(' ') })
  },
  'big ': (call, done) => done(null, Buffer.alloc(Number(call.request.toString().slice(4)), 'x')),
  hang: () => {},
  trailers: (call, done) => {
    const head = new Metadata()
    head.set('x-head', 'early')
    head.set('x-head-bin', Buffer.from([0, 255, 10, 13]))
    call.sendMetadata(head)
    const trailer = new Metadata()
    trailer.set('x-tail', 'late')
    trailer.set('x-tail-bin', Buffer.from([1, 254]))
    done(null, call.request, trailer)
  },
}

/** Closed with its owner. */
export async function startGrpcOrigin(
  owner: Owner,
  { options = {}, tls, hasHealth = true, port = 0 }: GrpcOriginOptions = {},
): Promise<GrpcOrigin> {
  const server = new Server(options)
  const calls: GrpcOrigin['calls'][number][] = []
  let cancelled = 0
  let open = 0
  const health = new Map<string, number>([['', 1]])

  type Call = EventEmitter & Pick<Unary, 'getDeadline' | 'metadata'>
  const begun = (path: string, call: Call): void => {
    const deadline = call.getDeadline()
    calls.push({ path, metadata: call.metadata, deadline: Number(deadline) })
    open++
    call.once('cancelled', () => cancelled++)
    call.once('close', () => open--)
  }
  server.addService(ECHO, {
    unary(call: Unary, done: sendUnaryData<Buffer>) {
      begun('Unary', call)
      const text = call.request.toString('latin1', 0, 16)
      const answer = Object.entries(ANSWERS).find(([begin]) => text.startsWith(begin))?.[1]
      if (answer === undefined) done(null, call.request)
      else answer(call, done)
    },
    collect(call: ServerReadableStream<Buffer, Buffer>, done: sendUnaryData<Buffer>) {
      begun('Collect', call)
      let [messages, bytes] = [0, 0]
      call.on('data', (message: Buffer) => {
        messages++
        bytes += message.length
      })
      call.on('end', () => done(null, Buffer.from(`${messages} ${bytes}`)))
      call.on('error', () => {})
    },
    repeat(call: ServerWritableStream<Buffer, Buffer>) {
      begun('Repeat', call)
      const [, text = '', times = '', endless = ''] =
        /^(.*)\*(\d+)(!?)$/.exec(call.request.toString()) ?? []
      for (let count = Number(times); count > 0; count--) call.write(Buffer.from(text))
      if (endless === '') call.end()
    },
    chat(call: ServerDuplexStream<Buffer, Buffer>) {
      begun('Chat', call)
      call.on('data', (message: Buffer) => {
        if (call.write(message)) return
        call.pause()
        call.once('drain', () => call.resume())
      })
      call.on('end', () => call.end())
      call.on('error', () => {})
    },
  })
  server.addService(CART, {
    add(call: Unary, done: sendUnaryData<Buffer>) {
      begun('Add', call)
      done(null, call.request)
    },
  })
  if (hasHealth) {
    server.addService(HEALTH, {
      check(call: Unary, done: sendUnaryData<Buffer>) {
        const state = health.get(call.request.subarray(2).toString())
        if (state === undefined) done({ code: status.NOT_FOUND, details: 'unknown service' })
        else done(null, Buffer.from(state === 0 ? [] : [8, state]))
      },
    })
  }
  const bound = await new Promise<number>((resolve, reject) => {
    const insecure = ServerCredentials.createInsecure()
    const pair =
      tls === undefined
        ? insecure
        : ServerCredentials.createSsl(null, [
            { cert_chain: Buffer.from(tls.cert), private_key: Buffer.from(tls.key) },
          ])
    server.bindAsync(`127.0.0.1:${port}`, pair, (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    )
  })
  owner.after(() => server.forceShutdown())
  return {
    port: bound,
    calls,
    cancelled: () => cancelled,
    open: () => open,
    health,
    kill: () => server.forceShutdown(),
  }
}

export interface CallResult {
  readonly code: number
  readonly details: string
  readonly messages: readonly string[]
  readonly head: Metadata | null
  readonly trailers: Metadata | null
}

export interface GrpcClient {
  readonly client: Client
  unary(message: string | Buffer, options?: CallOptions): Promise<CallResult>
  collect(messages: readonly (string | Buffer)[], options?: CallOptions): Promise<CallResult>
  repeat(message: string, options?: CallOptions): Promise<CallResult>
  chat(options?: CallOptions): Chat
}

export interface CallOptions {
  readonly metadata?: Metadata
  readonly timeoutMs?: number
  readonly path?: string
}

export interface Chat {
  send(message: string | Buffer): void
  end(): void
  cancel(): void
  /** Of the messages so far. */
  readonly received: readonly string[]
  readonly result: Promise<CallResult>
}

/** One channel, on one connection of its own. Closed with its owner. */
export function openGrpcClient(
  owner: Owner,
  port: number,
  options: ChannelOptions = {},
  ca?: string,
): GrpcClient {
  const creds =
    ca === undefined ? credentials.createInsecure() : credentials.createSsl(Buffer.from(ca))
  const name = ca === undefined ? '127.0.0.1' : 'localhost'
  const client = new Client(`${name}:${port}`, creds, {
    'grpc.use_local_subchannel_pool': 1,
    'grpc.enable_retries': 0,
    ...options,
  })
  owner.after(() => client.close())

  const deadlineOf = ({ timeoutMs }: CallOptions): { deadline?: number } =>
    timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs }

  function watch(call: EventEmitter): { head: Metadata | null; trailers: Metadata | null } {
    const seen: { head: Metadata | null; trailers: Metadata | null } = {
      head: null,
      trailers: null,
    }
    call.on('metadata', (metadata: Metadata) => (seen.head = metadata))
    call.on('status', ({ metadata }: { metadata: Metadata }) => (seen.trailers = metadata))
    return seen
  }

  function one(
    start: (done: (error: ServiceError | null, value?: Buffer) => void) => EventEmitter,
  ): Promise<CallResult> {
    return new Promise((resolve) => {
      let ended: Pick<CallResult, 'code' | 'details' | 'messages'> | null = null
      const call = start((error, value) => {
        ended = {
          code: error?.code ?? 0,
          details: error?.details ?? '',
          messages: value === undefined ? [] : [value.toString('latin1')],
        }
      })
      const seen = watch(call)
      // Once the callback has been called, too.
      call.on('status', () => setImmediate(() => ended !== null && resolve({ ...ended, ...seen })))
    })
  }

  function streamed(call: EventEmitter): { received: string[]; result: Promise<CallResult> } {
    const received: string[] = []
    const seen = watch(call)
    call.on('data', (message: Buffer) => received.push(message.toString('latin1')))
    call.on('error', () => {})
    const result = new Promise<CallResult>((resolve) => {
      call.on('status', ({ code, details }: { code: number; details: string }) =>
        setImmediate(() => resolve({ code, details, messages: received, ...seen })),
      )
    })
    return { received, result }
  }

  return {
    client,
    unary: (message, options = {}) =>
      one((done) =>
        client.makeUnaryRequest(
          options.path ?? ECHO.unary?.path ?? '',
          asIs,
          asIs,
          Buffer.from(message as string),
          options.metadata ?? new Metadata(),
          deadlineOf(options),
          done,
        ),
      ),
    collect: (messages, options = {}) =>
      one((done) => {
        const call = client.makeClientStreamRequest(
          '/test.Echo/Collect',
          asIs,
          asIs,
          options.metadata ?? new Metadata(),
          deadlineOf(options),
          done,
        )
        for (const message of messages) call.write(Buffer.from(message as string))
        call.end()
        return call
      }),
    repeat: (message, options = {}) =>
      streamed(
        client.makeServerStreamRequest(
          '/test.Echo/Repeat',
          asIs,
          asIs,
          Buffer.from(message),
          options.metadata ?? new Metadata(),
          deadlineOf(options),
        ),
      ).result,
    chat(options = {}) {
      const call = client.makeBidiStreamRequest(
        '/test.Echo/Chat',
        asIs,
        asIs,
        options.metadata ?? new Metadata(),
        deadlineOf(options),
      )
      const { received, result } = streamed(call)
      return {
        send: (message) => call.write(Buffer.from(message as string)),
        end: () => call.end(),
        cancel: () => call.cancel(),
        received,
        result,
      }
    },
  }
}
