/** The methods of etcd that are called, with the types of their requests and responses. */
import { fromJSON } from '@grpc/proto-loader'
import type {
  LeaseGrantResponse,
  LeaseKeepAliveResponse,
  LeaseTimeToLiveResponse,
  RangeRequest,
  RangeResponse,
  ResponseHeader,
  TxnRequest,
  TxnResponse,
  WatchRequest,
  WatchResponse,
} from './messages.ts'
import { MESSAGES, SERVICES } from './schema.ts'
import type { Fields } from './schema.ts'

export interface Method<Request, Response> {
  readonly path: string
  readonly serialize: (request: Request) => Buffer
  readonly deserialize: (bytes: Buffer) => Response
}

type Json = Parameters<typeof fromJSON>[0]

const loaded = fromJSON(toJson(), { longs: String, defaults: true, arrays: true })

export const range: Method<RangeRequest, RangeResponse> = methodOf('KV', 'Range')
export const txn: Method<TxnRequest, TxnResponse> = methodOf('KV', 'Txn')
export const watch: Method<WatchRequest, WatchResponse> = methodOf('Watch', 'Watch')
export const leaseGrant: Method<{ readonly TTL: number }, LeaseGrantResponse> = methodOf(
  'Lease',
  'LeaseGrant',
)
export const leaseRevoke: Method<{ readonly ID: string }, { readonly header: ResponseHeader }> =
  methodOf('Lease', 'LeaseRevoke')
export const leaseKeepAlive: Method<{ readonly ID: string }, LeaseKeepAliveResponse> = methodOf(
  'Lease',
  'LeaseKeepAlive',
)
export const leaseTimeToLive: Method<{ readonly ID: string }, LeaseTimeToLiveResponse> = methodOf(
  'Lease',
  'LeaseTimeToLive',
)
export const authenticate: Method<
  { readonly name: string; readonly password: string },
  { readonly token: string }
> = methodOf('Auth', 'Authenticate')

/** The one place where decoded messages get a type; the decoder follows the schema. */
function methodOf<Request extends object, Response>(
  service: string,
  name: string,
): Method<Request, Response> {
  const definition = loaded[`etcdserverpb.${service}`]
  if (definition === undefined || 'format' in definition) throw new Error(`no service ${service}`)
  const method = (definition as Exclude<typeof definition, { format: unknown }>)[name]
  if (method === undefined) throw new Error(`no method ${service}.${name}`)
  return {
    path: method.path,
    serialize: method.requestSerialize,
    deserialize: (bytes) => method.responseDeserialize(bytes) as Response,
  }
}

function toJson(): Json {
  const nested: Record<string, object> = {}
  for (const [name, fields] of Object.entries(MESSAGES)) nested[name] = { fields: toFields(fields) }
  for (const [name, methods] of Object.entries(SERVICES)) {
    nested[name] = {
      methods: Object.fromEntries(methods.map((method) => [method, signatureOf(method)])),
    }
  }
  return { nested: { etcdserverpb: { nested } } } as Json
}

function signatureOf(method: string): object {
  const isStream = method === 'Watch' || method === 'LeaseKeepAlive'
  return {
    requestType: `${method}Request`,
    responseType: `${method}Response`,
    requestStream: isStream,
    responseStream: isStream,
  }
}

function toFields(fields: Fields): object {
  const found: Record<string, object> = {}
  for (const [name, text] of Object.entries(fields)) {
    const [id, type, rule] = text.split(' ').toReversed()
    found[name] = { type, id: Number(id), ...(rule !== undefined && { rule }) }
  }
  return found
}
