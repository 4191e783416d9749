/** An exchange that a server cannot carry: it ends with an error as it is sent, and uses no connection. */
import type { Exchange, ResponseSink } from '../../http/exchange.ts'
import type { ExchangeError } from '../../http/message/errors.ts'
import type { ServerExchange } from './server-exchange.ts'

export class RefusedExchange implements ServerExchange {
  readonly isConnecting = false
  readonly awaitsBody = false
  readonly usedAt = 0
  readonly isUnsent = false
  readonly own = null
  readonly holdsData = false
  readonly #error: ExchangeError

  constructor(error: ExchangeError) {
    this.#error = error
  }

  send(_exchange: Exchange, _passHost: boolean, sink: ResponseSink): void {
    sink.failed(this.#error)
  }

  bodyData(): boolean {
    return true
  }

  bodyEnd(): void {}
  resumeResponse(): void {}
  abandon(): void {}
  tunnelTo(): void {}
}
