/**
 * Refuses request bodies above a size: `bodylimit: { size: 1MiB }`. A body with a Content-Length is refused before any of it is
 * read or forwarded, a chunked one when it exceeds the size (the server then sees a truncated request).
 */
import { errorResponse } from '../http/message/local-response.ts'
import { refuseBodySize } from '../http/exchange.ts'
import type { MiddlewareKind } from './middleware.ts'

interface BodyLimitOptions {
  size: number
}

/** 0 allows no body at all. */
const LEAST_BYTES = 0
const MOST_BYTES = 1024 ** 4

export const bodylimit: MiddlewareKind<BodyLimitOptions> = {
  kind: 'bodylimit',
  options: ({ strict, bytes }) =>
    strict(
      { size: bytes('The largest body; 0 allows none.', LEAST_BYTES, MOST_BYTES) },
      'Refuses requests with a larger body: they get a 413.',
    ),
  compile({ size }) {
    return {
      onRequest(exchange) {
        // Downstream enforces this for what it reads from now on. What came with the head has been read already.
        exchange.maxBodyBytes = Math.min(exchange.maxBodyBytes, size)
        const error = refuseBodySize(exchange)
        return error === null ? null : errorResponse(error)
      },
    }
  },
}
