/**
 * Refuses bodies above a size: `bodylimit: { size: 1MiB }`. One that announces its length is refused before any of it is read
 * or forwarded, a chunked one as soon as it passes the size (the server then sees a request that is cut).
 */
import { errorResponse } from '../http/local-response.ts'
import { refuseBodySize } from '../http/body-limit.ts'
import { scalar, strict } from '../options/fields.ts'
import { parseSize } from '../model/units.ts'
import type { MiddlewareKind } from './middleware.ts'
import { parseWith } from './options.ts'

interface BodyLimitOptions {
  size: number
}

/** 0 is a limit too: no body at all. */
const LEAST_BYTES = 0
const MOST_BYTES = 1024 ** 4

const schema = strict(
  { size: scalar((value) => parseSize(value, LEAST_BYTES, MOST_BYTES), {}) },
  'The largest body of a request.',
)

export const bodylimit: MiddlewareKind<BodyLimitOptions> = {
  kind: 'bodylimit',
  parse: (options) => parseWith(schema, options),
  compile({ size }) {
    return {
      onRequest(exchange) {
        // The downstream side holds what comes from here on against it; what came with the head has been read.
        exchange.maxBodyBytes = Math.min(exchange.maxBodyBytes, size)
        const error = refuseBodySize(exchange)
        return error === null ? null : errorResponse(error)
      },
    }
  },
}
