/**
 * The part of etcd's gRPC protocol (`etcdserverpb`, version 3) that is used. It is data instead of a .proto file, so that the
 * build needs no other files. Field names are etcd's own. 64-bit numbers are decimal texts, because lease ids do not fit into
 * a double.
 */
export type Fields = Readonly<Record<string, string>>

/** A field is `type number` or `repeated type number`. Enumerations are read as numbers. */
export const MESSAGES: Readonly<Record<string, Fields>> = {
  ResponseHeader: { cluster_id: 'uint64 1', member_id: 'uint64 2', revision: 'int64 3' },
  KeyValue: {
    key: 'bytes 1',
    create_revision: 'int64 2',
    mod_revision: 'int64 3',
    value: 'bytes 5',
    lease: 'int64 6',
  },
  RangeRequest: {
    key: 'bytes 1',
    range_end: 'bytes 2',
    limit: 'int64 3',
    revision: 'int64 4',
    keys_only: 'bool 8',
  },
  RangeResponse: { header: 'ResponseHeader 1', kvs: 'repeated KeyValue 2', more: 'bool 3' },
  PutRequest: { key: 'bytes 1', value: 'bytes 2', lease: 'int64 3' },
  PutResponse: { header: 'ResponseHeader 1' },
  DeleteRangeRequest: { key: 'bytes 1' },
  DeleteRangeResponse: { header: 'ResponseHeader 1', deleted: 'int64 2' },
  Compare: {
    result: 'int32 1',
    target: 'int32 2',
    key: 'bytes 3',
    version: 'int64 4',
    create_revision: 'int64 5',
    mod_revision: 'int64 6',
  },
  RequestOp: {
    request_range: 'RangeRequest 1',
    request_put: 'PutRequest 2',
    request_delete_range: 'DeleteRangeRequest 3',
  },
  ResponseOp: {
    response_range: 'RangeResponse 1',
    response_put: 'PutResponse 2',
    response_delete_range: 'DeleteRangeResponse 3',
  },
  TxnRequest: {
    compare: 'repeated Compare 1',
    success: 'repeated RequestOp 2',
    failure: 'repeated RequestOp 3',
  },
  TxnResponse: {
    header: 'ResponseHeader 1',
    succeeded: 'bool 2',
    responses: 'repeated ResponseOp 3',
  },
  WatchCreateRequest: {
    key: 'bytes 1',
    range_end: 'bytes 2',
    start_revision: 'int64 3',
    progress_notify: 'bool 4',
    fragment: 'bool 8',
  },
  WatchRequest: { create_request: 'WatchCreateRequest 1' },
  Event: { type: 'int32 1', kv: 'KeyValue 2' },
  WatchResponse: {
    header: 'ResponseHeader 1',
    created: 'bool 3',
    canceled: 'bool 4',
    compact_revision: 'int64 5',
    cancel_reason: 'string 6',
    fragment: 'bool 7',
    events: 'repeated Event 11',
  },
  LeaseGrantRequest: { TTL: 'int64 1' },
  LeaseGrantResponse: { header: 'ResponseHeader 1', ID: 'int64 2', TTL: 'int64 3' },
  LeaseRevokeRequest: { ID: 'int64 1' },
  LeaseRevokeResponse: { header: 'ResponseHeader 1' },
  LeaseKeepAliveRequest: { ID: 'int64 1' },
  LeaseKeepAliveResponse: { header: 'ResponseHeader 1', ID: 'int64 2', TTL: 'int64 3' },
  LeaseTimeToLiveRequest: { ID: 'int64 1' },
  LeaseTimeToLiveResponse: {
    header: 'ResponseHeader 1',
    ID: 'int64 2',
    TTL: 'int64 3',
    grantedTTL: 'int64 4',
  },
  AuthenticateRequest: { name: 'string 1', password: 'string 2' },
  AuthenticateResponse: { header: 'ResponseHeader 1', token: 'string 2' },
}

export const SERVICES: Readonly<Record<string, readonly string[]>> = {
  KV: ['Range', 'Txn'],
  Watch: ['Watch'],
  Lease: ['LeaseGrant', 'LeaseRevoke', 'LeaseKeepAlive', 'LeaseTimeToLive'],
  Auth: ['Authenticate'],
}
