/**
 * A conversation with one member of a cluster. It lasts until something goes wrong and is then given up for one with
 * another member; so nothing here connects again by itself, and every question has a deadline.
 */
import { isIP } from 'node:net'
import { checkServerIdentity } from 'node:tls'
import { Client, Metadata, credentials } from '@grpc/grpc-js'
import type { ChannelCredentials, ClientDuplexStream, ClientOptions } from '@grpc/grpc-js'
import { addressOf } from '../../dns/dialing.ts'
import { bracketHost } from '../../model/address.ts'
import type { RegistryTls } from '../registry/options.ts'
import type { EtcdSource } from './source.ts'
import { EtcdFailure, isAuthOff, isStaleToken, toFailure } from './failure.ts'
import type { WatchRequest, WatchResponse } from './messages.ts'
import { type Method, authenticate, watch } from './methods.ts'

export type WatchStream = ClientDuplexStream<WatchRequest, WatchResponse>

export interface Session {
  readonly endpoint: string
  /** Rejects with SourceRefused or EtcdFailure; `doing` completes `cannot ...` in their messages. */
  call<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    doing: string,
  ): Promise<Response>
  openWatch(): Promise<WatchStream>
  /** Ends whatever is under way. */
  close(): void
}

/** Who we are to a cluster. Its members share their users, so a token serves with any of them and outlives a session. */
export interface Login {
  readonly username: string | null
  readonly password: string | null
  /** Null: none yet. '': the cluster asks for none. */
  token: string | null
}

/** For every answer. What an election takes is less. */
const deadlineMs = 3000
/** A page of values at the limit is asked for again in smaller pages, see list.ts. */
const maxMessageBytes = 16 << 20

/** `at`: the endpoint with its address in the place of its name. */
export function openSession(
  spec: EtcdSource,
  endpoint: string,
  login: Login,
  at: string = endpoint,
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
        { deadline: Date.now() + deadlineMs },
        (error, response) => {
          underWay.delete(call)
          if (error !== null) reject(error)
          else if (response === undefined) reject(new Error('etcd answered nothing'))
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

  /** Many questions may find at once that there is no token: one of them fetches it. */
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

  return {
    endpoint,
    call,
    async openWatch() {
      const metadata = toMetadata(await getToken())
      // Else a member that lost the others would keep silent about it.
      metadata.set('hasleader', 'true')
      const { path, serialize, deserialize } = watch
      const stream = client.makeBidiStreamRequest(path, serialize, deserialize, metadata)
      underWay.add(stream)
      return stream
    },
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

/** The endpoint with an address in the place of its name. Rejects with EtcdFailure. */
export async function locate(endpoint: string): Promise<string> {
  try {
    const address = await addressOf(hostOf(endpoint))
    return `${bracketHost(address)}${endpoint.slice(endpoint.lastIndexOf(':'))}`
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new EtcdFailure(`etcd ${endpoint}: cannot connect: ${reason}`, 'unsent', { cause })
  }
}

function hostOf(endpoint: string): string {
  return endpoint.slice(0, endpoint.lastIndexOf(':')).replace(/^\[|\]$/g, '')
}

/** `name`: what has to stand in the server's certificate. */
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
    // A link that swallows everything is noticed after 4 s. The server would take it amiss if nothing else were said
    // for long; a watch has its probe beside it.
    'grpc.keepalive_time_ms': 3000,
    'grpc.keepalive_timeout_ms': 1000,
    'grpc.max_receive_message_length': maxMessageBytes,
    // A session never inherits the broken connection of the one before.
    'grpc.use_local_subchannel_pool': 1,
    'grpc.enable_retries': 0,
    'grpc.enable_http_proxy': 0,
    'grpc.service_config_disable_resolution': 1,
    // RFC 6066 3: an address is no name that a client may ask for.
    'grpc.ssl_target_name_override': isIP(name) === 0 ? name : 'etcd',
  }
}
