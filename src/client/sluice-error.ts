/** What went wrong with a request to the API. */

/** One member of an object, and what is wrong with it. */
export interface Problem {
  readonly path: readonly (string | number)[]
  readonly message: string
}

export interface SluiceErrorOptions {
  readonly status?: number
  readonly code?: string
  /** The JSON of the response. */
  readonly body?: unknown
  readonly etag?: string
  readonly method: string
  readonly path: string
  readonly cause?: unknown
}

/** The only class of errors of a client. */
export class SluiceError extends Error {
  override readonly name = 'SluiceError'
  /** Of the response; null: there was none. */
  readonly status: number | null
  /**
   * Why there was no response that can be used: `ABORTED`, `TIMEOUT`, `TOO_LARGE`, `MALFORMED`, or the code of the system, such as
   * ECONNREFUSED. Null: the API has refused the request.
   */
  readonly code: string | null
  /** Of a value that would be set aside (422): each member that is wrong. */
  readonly problems: readonly Problem[]
  /** Of a precondition that does not hold (412): the revision of the object now; null: it is not there, or it is not known. */
  readonly revision: string | null
  /** The JSON of the response; undefined: there was none. */
  readonly body: unknown
  readonly method: string
  readonly path: string

  constructor(message: string, options: SluiceErrorOptions) {
    super(message, options.cause === undefined ? {} : { cause: options.cause })
    this.status = options.status ?? null
    this.code = options.code ?? null
    this.body = options.body
    this.problems = problemsOf(options.body)
    this.revision = options.etag === undefined ? null : revisionOf(options.etag)
    this.method = options.method
    this.path = options.path
  }
}

/** A revision without the quotes of its ETag. */
export function revisionOf(etag: string): string {
  return /^"([^"]*)"$/.exec(etag.trim())?.[1] ?? etag
}

function problemsOf(body: unknown): readonly Problem[] {
  const problems = memberOf(body, 'problems')
  if (!Array.isArray(problems)) return []
  return problems.flatMap((one: unknown) => {
    const [path, message] = [memberOf(one, 'path'), memberOf(one, 'message')]
    return Array.isArray(path) && typeof message === 'string'
      ? [{ path: path as readonly string[], message }]
      : []
  })
}

export function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Readonly<Record<string, unknown>>)[name]
    : undefined
}
