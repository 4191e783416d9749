/** A request's body that is larger than its route takes. */
import { ExchangeError } from './errors.ts'
import type { Exchange } from './exchange.ts'

/** By what its head announces and by what has come of it so far; null while it is within `maxBodyBytes`. */
export function refuseBodySize({ head, bytesIn, maxBodyBytes }: Exchange): ExchangeError | null {
  if (bytesIn <= maxBodyBytes && head.length <= maxBodyBytes) return null
  return new ExchangeError(
    'BODY_TOO_LARGE',
    `the body is larger than the ${maxBodyBytes} bytes that are taken here`,
  )
}
