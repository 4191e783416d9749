/** Errors of etcd, distinguished by what the caller can do about them. */
import { status } from '@grpc/grpc-js'
import { SourceRefused } from '../provider.ts'

/**
 * `compacted`: the requested revision no longer exists; `too-large`: the response does not fit into one message; `unsent`:
 * there was no connection, so the request had no effect; `lost`: any other failure that a retry may cure.
 */
export type FailureReason = 'compacted' | 'too-large' | 'unsent' | 'lost'

export class EtcdFailure extends Error {
  override readonly name = 'EtcdFailure'
  readonly reason: FailureReason

  constructor(message: string, reason: FailureReason, options?: ErrorOptions) {
    super(message, options)
    this.reason = reason
  }
}

/** `doing` completes `cannot ...`. An error that has this form already is returned as it is. */
export function toFailure(cause: unknown, endpoint: string, doing: string): Error {
  if (cause instanceof SourceRefused || cause instanceof EtcdFailure) return cause
  const message = `etcd ${endpoint}: cannot ${doing}: ${describe(cause)}`
  if (isRefusal(cause)) return new SourceRefused(message, { cause })
  return new EtcdFailure(message, reasonOf(cause), { cause })
}

/** A token expires after minutes, when users or roles change, and when a member restarts. */
export function isStaleToken(cause: unknown): boolean {
  const { code, details } = statusOf(cause)
  return code === status.UNAUTHENTICATED || /auth store is old|user name is empty/.test(details)
}

export function isAuthOff(cause: unknown): boolean {
  return statusOf(cause).details.includes('authentication is not enabled')
}

function isRefusal(cause: unknown): boolean {
  const { code, details } = statusOf(cause)
  if (code === status.PERMISSION_DENIED || code === status.UNAUTHENTICATED) return true
  return /authentication failed|user name is empty/.test(details)
}

function reasonOf(cause: unknown): FailureReason {
  const { code, details } = statusOf(cause)
  if (code === status.OUT_OF_RANGE) return 'compacted'
  // etcd also uses this code for overload and for a full disk.
  if (code === status.RESOURCE_EXHAUSTED && details.includes('larger than max')) return 'too-large'
  return details.startsWith('No connection established') ? 'unsent' : 'lost'
}

function describe(cause: unknown): string {
  const { code, details } = statusOf(cause)
  if (code === status.DEADLINE_EXCEEDED) return 'no response in time'
  const [text = ''] = details.replace(/^etcdserver: /, '').split(' Resolution note:')
  return text.slice(0, 300)
}

function statusOf(cause: unknown): { readonly code: number | null; readonly details: string } {
  if (!(cause instanceof Error)) return { code: null, details: String(cause) }
  const code = 'code' in cause && typeof cause.code === 'number' ? cause.code : null
  const details = 'details' in cause ? String(cause.details) : cause.message
  return { code, details }
}
