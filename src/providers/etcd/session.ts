/**
 * A connection to one member of a cluster. After a failure it is replaced by one to another member, so nothing here
 * reconnects, and every call has a timeout.
 */
import { isIP } from 'node:net'
import { checkServerIdentity } from 'node:tls'
import { Client, Metadata, credentials } from '@grpc/grpc-js'
import type { ChannelCredentials, ClientDuplexStream, ClientOptions } from '@grpc/grpc-js'
import { addressOf } from '../../dns/dialing.ts'
import { bracketHost } from '../../model/address.ts'
import { messageOf } from '../../model/error-message.ts'
import { hostOf, portOf } from '../registry/endpoint.ts'
import type { RegistryTls } from '../registry/options.ts'
import type { EtcdAccess } from './source.ts'
import { EtcdFailure, isAuthOff, isStaleToken, toFailure } from './failure.ts'
import type { WatchRequest, WatchResponse } from './messages.ts'
import { type Method, authenticate, watch } from './methods.ts'

export type Stream<Request, Response> = ClientDuplexStream<Request, Response>
export type WatchStream = Stream<WatchRequest, WatchResponse>

export interface Session {
  readonly endpoint: string
  /** Rejects with SourceRefused or EtcdFailure; `doing` completes `cannot ...` in their messages. */
  call<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    doing: string,
  ): Promise<Response>
  openWatch(): Promise<WatchStream>
  /** Of a method with streams in both directions. */
  openStream<Request, Response>(
    method: Method<Request, Response>,
  ): Promise<Stream<Request, Response>>
  /** Cancels all calls. */
  close(): void
}

/** The login at a cluster. Its members share their users, so a token works with all of them and outlives a session. */
export interface Login {
  readonly username: string | null
  readonly password: string | null
  /** Null: none yet. '': the cluster needs none. */
  token: string | null
}

/** Of a call; an election takes less. */
const TIMEOUT_MS = 3000
/** A page that does not fit is requested again in smaller pages, see list.ts. */
const MAX_MESSAGE_BYTES = 16 << 20

/** `at`: the endpoint with its address instead of its name. */
export function openSession(
  spec: EtcdAccess,
  endpoint: string,
  login: Login,
  at: string = endpoint,
  timeoutMs: number = TIMEOUT_MS,
): Session {
  const name = spec.tls?.serverName ?? hostOf(endpoint)
  const client = new Client(at, toCredentials(spec.tls, name), toOptions(name))
  const underWay = new Set<{ cancel(): void }>()
  let loggingIn: Promise<string> | null = null

  function send<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    token: string,
  ): Promise<Response> {
    return new Promise((resolve, reject) => {
      const call = client.makeUnaryRequest(
        method.path,
        method.serialize,
        method.deserialize,
        request,
        toMetadata(token),
        { deadline: Date.now() + timeoutMs },
        (error, response) => {
          underWay.delete(call)
          if (error !== null) reject(error)
          else if (response === undefined) reject(new Error('the response is empty'))
          else resolve(response)
        },
      )
      underWay.add(call)
    })
  }

  async function logIn(name: string, password: string): Promise<string> {
    try {
      const { token } = await send(authenticate, { name, password }, '')
      return token
    } catch (cause) {
      if (isAuthOff(cause)) return ''
      throw toFailure(cause, endpoint, `log in as "${name}"`)
    }
  }

  /** Concurrent calls without a token share one login. */
  async function getToken(): Promise<string> {
    const { username, password } = login
    if (username === null) return ''
    if (login.token !== null) return login.token
    loggingIn ??= logIn(username, password ?? '').finally(() => (loggingIn = null))
    login.token = await loggingIn
    return login.token
  }

  async function call<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    doing: string,
  ): Promise<Response> {
    const token = await getToken()
    try {
      return await send(method, request, token)
    } catch (cause) {
      if (login.username === null || !isStaleToken(cause)) throw toFailure(cause, endpoint, doing)
    }
    if (login.token === token) login.token = null
    try {
      return await send(method, request, await getToken())
    } catch (cause) {
      throw toFailure(cause, endpoint, doing)
    }
  }

  function stream<Request, Response>(
    { path, serialize, deserialize }: Method<Request, Response>,
    metadata: Metadata,
  ): Stream<Request, Response> {
    const opened = client.makeBidiStreamRequest(path, serialize, deserialize, metadata)
    underWay.add(opened)
    return opened
  }

  return {
    endpoint,
    call,
    async openWatch() {
      const metadata = toMetadata(await getToken())
      // Without it, a member that lost its quorum would not report that.
      metadata.set('hasleader', 'true')
      return stream(watch, metadata)
    },
    openStream: async (method) => stream(method, toMetadata(await getToken())),
    close() {
      for (const call of underWay) call.cancel()
      underWay.clear()
      client.close()
    },
  }
}

function toMetadata(token: string): Metadata {
  const metadata = new Metadata()
  if (token !== '') metadata.set('token', token)
  return metadata
}

/** The endpoint with an address instead of its name. Rejects with EtcdFailure. */
export async function locate(endpoint: string): Promise<string> {
  try {
    const address = await addressOf(hostOf(endpoint))
    return `${bracketHost(address)}:${portOf(endpoint)}`
  } catch (cause) {
    const reason = messageOf(cause)
    throw new EtcdFailure(`etcd ${endpoint}: cannot connect: ${reason}`, 'unsent', { cause })
  }
}

/** `name`: the name that the server's certificate must have. */
function toCredentials(tls: RegistryTls | null, name: string): ChannelCredentials {
  if (tls === null) return credentials.createInsecure()
  const { ca, key, cert, verify } = tls
  return credentials.createSsl(toBuffer(ca), toBuffer(key), toBuffer(cert), {
    rejectUnauthorized: verify,
    checkServerIdentity: (_, peer) => checkServerIdentity(name, peer),
  })
}

function toBuffer(text: string | null): Buffer | null {
  return text === null ? null : Buffer.from(text)
}

function toOptions(name: string): ClientOptions {
  return {
    // A dead connection is noticed after 4 s. etcd ends connections with pings but no calls, which the probe prevents.
    'grpc.keepalive_time_ms': 3000,
    'grpc.keepalive_timeout_ms': 1000,
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    // A session never uses the broken connection of another one.
    'grpc.use_local_subchannel_pool': 1,
    'grpc.enable_retries': 0,
    'grpc.enable_http_proxy': 0,
    'grpc.service_config_disable_resolution': 1,
    // RFC 6066 section 3: an address is not a server name.
    'grpc.ssl_target_name_override': isIP(name) === 0 ? name : 'etcd',
  }
}
