/**
 * The constants of ZooKeeper's client protocol (zookeeper.jute, ZooDefs.java, KeeperException.java, Watcher.java). Every
 * message is a frame: its length as an int, then its members as jute writes them, big-endian.
 *
 *   client   ConnectRequest first, then   xid int, type int, members of the operation
 *   server   ConnectResponse first, then  xid int, zxid long, error int, members of the response unless error is set
 */

/** Of a request. */
export const OP = {
  create: 1,
  delete: 2,
  exists: 3,
  getData: 4,
  setData: 5,
  sync: 9,
  ping: 11,
  getChildren: 8,
  /** Several as one transaction. Since 3.4. */
  multi: 14,
  auth: 100,
  /** Since 3.6. */
  addWatch: 106,
  closeSession: -11,
  /** Of a result in a transaction. */
  error: -1,
} as const

/** In place of a request's number. */
export const XID = { event: -1, ping: -2, auth: -4 } as const

/** KeeperException.Code; the others are only shown. */
export const ERROR = {
  /** Of an operation of a transaction: another one of it failed. */
  notApplied: -2,
  unimplemented: -6,
  noNode: -101,
  noAuth: -102,
  badVersion: -103,
  nodeExists: -110,
  notEmpty: -111,
  sessionExpired: -112,
  authFailed: -115,
  sessionNeedsSasl: -124,
} as const

/** What the numbers mean, for messages. */
export const ERROR_TEXTS: ReadonlyMap<number, string> = new Map([
  [-1, 'the server reports an error of its own'],
  [-2, 'the server reports an inconsistency'],
  [-4, 'the server lost its ensemble'],
  [-5, 'the server could not read the request'],
  [ERROR.unimplemented, 'the server does not have this operation'],
  [-7, 'the server gave up waiting for its ensemble'],
  [-8, 'the server refuses the arguments'],
  [ERROR.noNode, 'there is no such znode'],
  [ERROR.noAuth, 'no permission: the ACL of the znode does not allow it'],
  [ERROR.badVersion, 'it has another version'],
  [-108, 'an ephemeral znode has no children'],
  [ERROR.nodeExists, 'it exists already'],
  [ERROR.notEmpty, 'it has children'],
  [ERROR.sessionExpired, 'the session has expired'],
  [-114, 'the server refuses the ACL'],
  [ERROR.authFailed, 'the server refuses the credentials'],
  [-119, 'the server only reads now'],
  [
    ERROR.sessionNeedsSasl,
    'the server requires SASL, which Sluice does not have; use digest or a client certificate',
  ],
  [-125, 'the quota is exceeded'],
  [-127, 'the server limits requests'],
])

/** Of a watch: what happened to the znode. */
export const EVENT = {
  /** About the session, not about a znode. */
  none: -1,
  created: 1,
  deleted: 2,
  dataChanged: 3,
  childrenChanged: 4,
} as const

/** Of an event about the session. */
export const STATE = { authFailed: 4, expired: -112 } as const

/** Of addWatch: every znode at and below the path, until the session ends. */
export const PERSISTENT_RECURSIVE = 1

/** Of delete and setData. */
export const ANY_VERSION = -1

/** Of create: a znode that outlives its session, or ends with it; the server may append a number to its name. */
export const PERSISTENT = 0
export const EPHEMERAL = 1
export const EPHEMERAL_SEQUENTIAL = 3

export const PROTOCOL_VERSION = 0
/** All permissions for everyone: `world:anyone:cdrwa`, what every client creates without an ACL. */
export const OPEN_ACL = { permissions: 31, scheme: 'world', id: 'anyone' } as const

export const PASSWORD_BYTES = 16
/** xid, zxid and error. */
export const REPLY_HEAD_BYTES = 16
