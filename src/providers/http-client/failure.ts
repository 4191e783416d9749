/** Why a call to a registry's HTTP API failed. */
export class HttpFailure extends Error {
  override readonly name = 'HttpFailure'
  /** Null: there was no response, or it could not be read. */
  readonly status: number | null

  constructor(message: string, status: number | null, options?: ErrorOptions) {
    super(message, options)
    this.status = status
  }
}

/** For people, without the names of classes and codes where there is something better. */
export function describeError(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause)
  // A connection to several addresses fails with one error for each.
  const first = cause instanceof AggregateError ? (cause.errors[0] as unknown) : undefined
  if (first !== undefined) return describeError(first)
  if (cause.name === 'TimeoutError') return 'no response in time'
  if ('code' in cause && cause.code === 'UND_ERR_CONNECT_TIMEOUT') return 'no connection in time'
  const text =
    cause.message === '' ? String('code' in cause ? cause.code : cause.name) : cause.message
  return text.length > 300 ? `${text.slice(0, 300)}...` : text
}
