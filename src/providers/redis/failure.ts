/** What a Redis error means for us, in words for whoever runs it. */
import { SourceRefused } from '../provider.ts'

const REFUSALS: readonly RegExp[] = [
  /^(?:WRONGPASS|NOAUTH|NOPERM|DENIED)\b/,
  /^ERR (?:invalid password|AUTH|Client sent AUTH)/,
]

/**
 * Never with the original as its `cause`: ioredis hangs the command on it, with all its arguments, and those of AUTH are
 * the password.
 */
export function toFailure(error: unknown, what: string): Error {
  if (error instanceof SourceRefused || error instanceof RedisFailure) return error
  const message = messageOf(error)
  if (REFUSALS.some((refusal) => refusal.test(message))) {
    return new SourceRefused(`${what}: refused: ${message}`)
  }
  return new RedisFailure(`${what}: ${explain(message)}`)
}

/** Already told with what could not be done. */
export class RedisFailure extends Error {
  override readonly name = 'RedisFailure'
}

/** Redis answered, and the answer is an error: the link is whole. */
export function isReply(error: unknown): error is Error {
  return error instanceof Error && error.name === 'ReplyError'
}

function messageOf(error: unknown): string {
  // A transaction that was not carried out says nothing but that; why, its commands were told.
  if (error instanceof Error && 'previousErrors' in error && Array.isArray(error.previousErrors)) {
    const [first] = error.previousErrors as readonly unknown[]
    if (first instanceof Error) return first.message
  }
  return error instanceof Error ? error.message : String(error)
}

function explain(message: string): string {
  if (message.startsWith('LOADING')) return 'it is still loading its data'
  if (message.startsWith('READONLY')) return 'it is a replica, write to its master'
  if (message.startsWith('CROSSSLOT')) return 'its keys are in several slots of a cluster'
  if (/^(?:MOVED|ASK|CLUSTERDOWN|TRYAGAIN)\b/.test(message)) {
    return `the cluster is being changed: ${message}`
  }
  if (message === 'Command timed out') return 'no answer in time'
  if (message === 'Connection is closed.') return 'the connection was lost'
  return message
}
