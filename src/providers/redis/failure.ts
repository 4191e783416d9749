/** Turns errors of ioredis and Redis into failures of the source: whether the server refuses it, and a message that says why. */
import { SourceRefused } from '../provider.ts'
import { messageOf } from '../../model/error-message.ts'

const REFUSALS: readonly RegExp[] = [
  /^(?:WRONGPASS|NOAUTH|NOPERM|DENIED)\b/,
  /^ERR (?:invalid password|AUTH|Client sent AUTH)/,
]

/**
 * The original error is never the `cause`: ioredis attaches the command with its arguments, and those of AUTH hold the
 * password. `what` begins with `cannot ...`.
 */
export function toFailure(error: unknown, what: string): Error {
  if (error instanceof SourceRefused || error instanceof RedisFailure) return error
  const message = reasonOf(error)
  if (REFUSALS.some((refusal) => refusal.test(message))) {
    return new SourceRefused(`${what}: refused: ${message}`)
  }
  return new RedisFailure(`${what}: ${explain(message)}`)
}

/** Its message already says what could not be done. */
export class RedisFailure extends Error {
  override readonly name = 'RedisFailure'
}

/** An error reply of Redis: the connection still works. */
export function isReply(error: unknown): error is Error {
  return error instanceof Error && error.name === 'ReplyError'
}

function reasonOf(error: unknown): string {
  // EXECABORT gives no reason; the errors of the queued commands do.
  if (error instanceof Error && 'previousErrors' in error && Array.isArray(error.previousErrors)) {
    const [first] = error.previousErrors as readonly unknown[]
    if (first instanceof Error) return first.message
  }
  return messageOf(error)
}

function explain(message: string): string {
  if (message.startsWith('LOADING')) return 'it is still loading its data'
  if (message.startsWith('READONLY')) return 'it is a replica, write to its master'
  if (message.startsWith('CROSSSLOT')) return 'its keys are in several slots of a cluster'
  if (/^(?:MOVED|ASK|CLUSTERDOWN|TRYAGAIN)\b/.test(message)) {
    return `the cluster is being changed: ${message}`
  }
  if (message === 'Command timed out') return 'no response in time'
  if (message === 'Connection is closed.') return 'the connection was lost'
  return message
}
