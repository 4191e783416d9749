/** Errors of a client of a CA that the CA has no words for. */
import { AcmeError } from './acme-error.ts'

/** `what` completes `cannot`; `who`: `the CA at ca.example`. */
export function malformed(what: string, who: string, detail: string): AcmeError {
  return new AcmeError(`cannot ${what}: ${who} sends a malformed response: ${detail}`, {
    type: 'malformedResponse',
    detail,
  })
}

/** It has to be ordered again. */
export function lost(what: string, who: string, detail: string): AcmeError {
  return new AcmeError(`cannot ${what}: ${detail} at ${who}`, { type: 'expired', detail })
}

/** What was asked of the client cannot be. */
export function unsupported(message: string): AcmeError {
  return new AcmeError(message, { type: 'unsupported', detail: message })
}
