import { ExchangeError } from './message/errors.ts'
import type { Exchange } from './exchange.ts'

/** The error for a request body above `maxBodyBytes`, announced or received; null while it is within. */
export function refuseBodySize({ head, bytesIn, maxBodyBytes }: Exchange): ExchangeError | null {
  if (bytesIn <= maxBodyBytes && head.length <= maxBodyBytes) return null
  return new ExchangeError(
    'BODY_TOO_LARGE',
    `the body is larger than the ${maxBodyBytes} bytes that are taken here`,
  )
}
