/** The messages of `schema.ts` as types, with etcd's names. A decoded message has every field, with its default if it was not sent. */
export interface ResponseHeader {
  readonly cluster_id: string
  readonly revision: string
}

export interface KeyValue {
  readonly key: Buffer
  readonly create_revision: string
  readonly mod_revision: string
  readonly value: Buffer
  /** `0`: none. */
  readonly lease: string
}

export interface RangeRequest {
  readonly key: Buffer
  readonly range_end?: Buffer
  readonly limit?: number
  /** The latest by default. */
  readonly revision?: string
  readonly keys_only?: boolean
}

export interface RangeResponse {
  readonly header: ResponseHeader
  readonly kvs: readonly KeyValue[]
  readonly more: boolean
}

export interface PutRequest {
  readonly key: Buffer
  readonly value: Buffer
  readonly lease?: string
}

/** Values of etcd's enumerations. */
export const COMPARE_RESULT = { equal: 0, less: 2 } as const
export const COMPARE_TARGET = { version: 0, createRevision: 1, modRevision: 2 } as const
export const DELETE_EVENT = 1

export interface Compare {
  readonly key: Buffer
  readonly result: number
  readonly target: number
  readonly version?: string
  readonly create_revision?: string
  readonly mod_revision?: string
}

/** One of them. */
export interface RequestOp {
  readonly request_range?: RangeRequest
  readonly request_put?: PutRequest
  readonly request_delete_range?: { readonly key: Buffer }
}

interface ResponseOp {
  readonly response_range?: RangeResponse | null
  readonly response_delete_range?: { readonly deleted: string } | null
}

export interface TxnRequest {
  readonly compare: readonly Compare[]
  readonly success: readonly RequestOp[]
  readonly failure: readonly RequestOp[]
}

export interface TxnResponse {
  readonly header: ResponseHeader
  readonly succeeded: boolean
  readonly responses: readonly ResponseOp[]
}

export interface WatchRequest {
  readonly create_request: {
    readonly key: Buffer
    readonly range_end: Buffer
    readonly start_revision: string
    readonly progress_notify: boolean
    readonly fragment: boolean
  }
}

export interface WatchEvent {
  readonly type: number
  readonly kv: KeyValue
}

export interface WatchResponse {
  readonly header: ResponseHeader
  readonly created: boolean
  readonly canceled: boolean
  readonly compact_revision: string
  readonly cancel_reason: string
  /** More of the same follows. */
  readonly fragment: boolean
  readonly events: readonly WatchEvent[]
}

export interface LeaseGrantResponse {
  readonly ID: string
}

export interface LeaseKeepAliveResponse {
  /** Whole seconds; 0: the lease does not exist any more. */
  readonly TTL: string
}

export interface LeaseTimeToLiveResponse {
  /** Whole seconds that are left, rounded down; -1: the lease does not exist any more. */
  readonly TTL: string
  readonly grantedTTL: string
}
