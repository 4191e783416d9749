/** Answers that may be large. */
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { setImmediate as nextTurn } from 'node:timers/promises'

const SLICE_CHARS = 64 * 1024

/**
 * A large table is tens of megabytes: between two slices the event loop has its turn, and a slow reader is waited for. A
 * reader that leaves ends it.
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
    // Aborted means that the reader has left; there is nobody to answer. A drain may come without a turn.
    if (!hasRoom) await once(response, 'drain', { signal: left.signal }).catch(() => {})
    await nextTurn()
    if (left.signal.aborted) return
  }
  response.end(slice)
}
