/** A listener for streams of any protocol (`tcp`), behind TLS that ends here if it has certificates. */
import type { Socket } from 'node:net'
import type { Listener } from '../model/snapshot.ts'
import { COUNT } from '../scoreboard/layout.ts'
import { count, type Slot } from '../scoreboard/scoreboard.ts'
import { type ListenerContext, type ListenerHandler, LiveListener } from './live-listener.ts'
import type { Preamble } from './preamble.ts'
import { TlsEnd } from './tls-end.ts'

export class StreamListener extends LiveListener {
  readonly #tls: TlsEnd | null

  constructor(listener: Listener, slot: Slot, context: ListenerContext) {
    super(listener, slot, context, { allowHalfOpen: true })
    this.#tls = listener.tls === null ? null : this.#createTls(listener, context)
  }

  #createTls(listener: Listener, { ticketKeys }: ListenerContext): TlsEnd {
    return new TlsEnd(listener, [], ticketKeys, {
      secured: (socket, preamble) => this.guard(socket, () => this.#serve(socket, preamble)),
      failed: () => count(this.slot, COUNT.tlsFailures, 1),
      onFault: (error) => this.handler.fault(error, null),
    })
  }

  protected get needsHello(): boolean {
    return this.#tls?.needsHello === true
  }

  protected begin(socket: Socket, preamble: Preamble | null): void {
    if (this.#tls === null) this.#serve(socket, preamble)
    else this.#tls.shakeHands(socket, preamble)
  }

  /** Streams are not relayed yet. */
  #serve(socket: Socket, preamble: Preamble | null): void {
    if (!this.refuses(socket, preamble)) this.turnAway(socket)
  }

  override update(listener: Listener, handler: ListenerHandler): void {
    this.#tls?.update(listener)
    super.update(listener, handler)
  }

  protected turnAway(socket: Socket): void {
    socket.destroy()
  }
}
