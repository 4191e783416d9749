/** Sends large responses. */
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { setImmediate as nextTurn } from 'node:timers/promises'

const SLICE_CHARS = 64 * 1024

/**
 * A large table is tens of megabytes, so the event loop runs between two slices, and a slow client is waited for. It ends if
 * the client disconnects.
 */
export async function writeSlices(
  response: ServerResponse,
  texts: Iterable<string>,
): Promise<void> {
  const left = new AbortController()
  response.once('close', () => left.abort())
  let slice = ''
  for (const text of texts) {
    slice += text
    if (slice.length < SLICE_CHARS) continue
    const hasRoom = response.write(slice)
    slice = ''
    // Aborted: the client has disconnected. `drain` may come without a turn of the loop.
    if (!hasRoom) await once(response, 'drain', { signal: left.signal }).catch(() => {})
    await nextTurn()
    if (left.signal.aborted) return
  }
  response.end(slice)
}
