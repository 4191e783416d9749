/** What a server did not do in time. */
import { ExchangeError } from '../http/errors.ts'
import type { Timeouts } from '../model/snapshot.ts'

export function lateError(
  waitedFor: 'name' | 'connect' | 'handshake' | 'body' | 'answer' | 'more',
  { connectMs, handshakeMs, firstByteMs, stallMs }: Timeouts,
): ExchangeError {
  switch (waitedFor) {
    case 'name':
      return new ExchangeError('DNS_FAILED', `the name was not resolved within ${connectMs} ms`)
    case 'connect':
      return new ExchangeError('CONNECT_TIMEOUT', `not connected within ${connectMs} ms`)
    case 'handshake':
      return new ExchangeError('CONNECT_TIMEOUT', `no TLS handshake within ${handshakeMs} ms`)
    case 'body':
      return new ExchangeError('STALL_TIMEOUT', `the server took no request body for ${stallMs} ms`)
    case 'answer':
      return new ExchangeError('FIRST_BYTE_TIMEOUT', `no answer within ${firstByteMs} ms`)
    case 'more':
      return new ExchangeError('STALL_TIMEOUT', `nothing of the answer for ${stallMs} ms`)
  }
}
