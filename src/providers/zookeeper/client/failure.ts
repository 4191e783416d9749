/** Errors of ZooKeeper, distinguished by what the caller can do about them. */
import { SourceRefused } from '../../provider.ts'
import { ERROR, ERROR_TEXTS } from './protocol.ts'

/** The server's error of one request; the connection still works. */
export class ZookeeperReply extends Error {
  override readonly name = 'ZookeeperReply'
  readonly code: number

  constructor(message: string, code: number) {
    super(message)
    this.code = code
  }
}

/** The connection is lost, or was never made. */
export class ZookeeperLost extends Error {
  override readonly name = 'ZookeeperLost'
  /** By the server, without an error. */
  readonly isClosed: boolean

  constructor(message: string, options: ErrorOptions & { readonly isClosed?: boolean } = {}) {
    super(message, options)
    this.isClosed = options.isClosed ?? false
  }
}

/** A single response is too long to be read; the connection still works. */
export class ZookeeperTooLong extends Error {
  override readonly name = 'ZookeeperTooLong'
}

/** `doing` completes `cannot ...`. */
export function toReplyError(code: number, endpoint: string, doing: string): Error {
  const message = `ZooKeeper ${endpoint}: cannot ${doing}: ${explain(code)}`
  const isRefusal = code === ERROR.authFailed || code === ERROR.sessionNeedsSasl
  return isRefusal ? new SourceRefused(message) : new ZookeeperReply(message, code)
}

export function isReply(error: unknown, code: number): boolean {
  return error instanceof ZookeeperReply && error.code === code
}

function explain(code: number): string {
  return ERROR_TEXTS.get(code) ?? `error ${code}`
}
