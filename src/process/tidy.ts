/**
 * Gives memory back after the start and after a large change. Loading the program's own code leaves a young generation of 8 MB in a
 * worker and 12 MB on the main thread, most of it garbage: a collection of 10 ms frees a third of what an idle thread holds. Reading 100,000 routes leaves more garbage than routes (measured on the main
 * thread: 260 MB of heap with 85 in use), and V8 collects nothing in a thread that has nothing to do. Never where requests
 * would wait for it: on the main thread when workers serve, and in a worker before it opens its first listener.
 */
import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

export interface Tidy {
  /**
   * Collects if the heap has grown enough since the last time to be worth a pause of some hundred ms. The first time in a thread that
   * has just loaded its code it always does.
   */
  now(): void
  /** The same when nothing has asked again for a moment: changes may come in a row, and the last one pays. */
  soon(): void
  stop(): void
}

const QUIET_MS = 250
const WORTH_BYTES = 32 * 1024 ** 2

/** `afterStart`: the thread has just loaded its code. */
export function createTidy({ afterStart = false }: { readonly afterStart?: boolean } = {}): Tidy {
  let timer: NodeJS.Timeout | null = null
  let tidyBytes = afterStart ? -Infinity : heapBytes()

  function now(): void {
    if (heapBytes() - tidyBytes < WORTH_BYTES) return
    collect()
    tidyBytes = heapBytes()
  }

  return {
    now,
    soon() {
      if (timer !== null) clearTimeout(timer)
      timer = setTimeout(now, QUIET_MS)
      timer.unref()
    },
    stop() {
      if (timer !== null) clearTimeout(timer)
    },
  }
}

function heapBytes(): number {
  return getHeapStatistics().total_physical_size
}

/** Node has no call for it. This is V8's own; as its "last resort" it also gives the emptied pages back. */
function collect(): void {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as NonNullable<typeof globalThis.gc>
  gc({ type: 'major', execution: 'sync', flavor: 'last-resort' })
}
