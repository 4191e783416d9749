/** What a CA refuses, in its own words (RFC 7807, RFC 8555 section 6.7), and what keeps a CA from being heard. */

/** One identifier's part of a refusal (RFC 8555 section 6.7.1). */
export interface Subproblem {
  /** As of AcmeError. */
  readonly type: string
  readonly detail: string
  /** The name or address that it is about; null: the CA names none. */
  readonly identifier: string | null
}

export interface AcmeErrorFields {
  readonly type: string
  readonly detail: string
  readonly status?: number | null
  readonly retryAfterMs?: number | null
  readonly subproblems?: readonly Subproblem[]
  /** Where the CA explains it to people: terms of service, how to unpause a name. */
  readonly url?: string | null
  readonly cause?: unknown
}

/**
 * `type` is that of the CA without `urn:ietf:params:acme:error:` (`rateLimited`, `unauthorized`, ...), or one of this client:
 * `unreachable`, `malformedResponse`, `timeout`, `refusedCertificate`, `unsupported`.
 */
export class AcmeError extends Error {
  override readonly name = 'AcmeError'
  readonly type: string
  /** The CA's own words. */
  readonly detail: string
  /** Null: there was no response. */
  readonly status: number | null
  /** How long the CA asks to wait; null: it says nothing. */
  readonly retryAfterMs: number | null
  readonly subproblems: readonly Subproblem[]
  readonly url: string | null

  constructor(message: string, fields: AcmeErrorFields) {
    super(message, fields.cause === undefined ? {} : { cause: fields.cause })
    this.type = fields.type
    this.detail = fields.detail
    this.status = fields.status ?? null
    this.retryAfterMs = fields.retryAfterMs ?? null
    this.subproblems = fields.subproblems ?? []
    this.url = fields.url ?? null
  }
}
