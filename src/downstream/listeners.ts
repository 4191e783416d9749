/** The live listener of each protocol. */
import type { Listener } from '../model/snapshot.ts'
import type { Slot } from '../scoreboard/scoreboard.ts'
import { HttpListener } from './http-listener.ts'
import { HttpsListener } from './https-listener.ts'
import type { ListenerContext, LiveListener } from './live-listener.ts'
import { StreamListener } from './stream-listener.ts'

const LISTENERS = {
  http: HttpListener,
  https: HttpsListener,
  h2c: HttpListener,
  tcp: StreamListener,
} as const

/** Does not listen before `open`. */
export function createListener(
  listener: Listener,
  slot: Slot,
  context: ListenerContext,
): LiveListener {
  return new LISTENERS[listener.protocol](listener, slot, context)
}
