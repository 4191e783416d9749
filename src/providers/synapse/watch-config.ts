/** Notices that one of several files or folders has changed: by events of the first, and by polling all of them. */
import { debounce, POLL_INTERVAL_MS } from '../file/debounce.ts'
import { watchPath } from '../file/path-watch.ts'
import { signatureOf } from '../file/signature.ts'
import { createNotifier } from '../notifier.ts'

export interface ConfigWatch {
  /** From now on these, of which the first stays. */
  set(paths: readonly string[]): void
  close(): void
}

/** `onChange`: after writes have stopped for a moment. */
export function watchConfig(first: readonly string[], onChange: () => void): ConfigWatch {
  const notifier = createNotifier()
  const [main = ''] = first
  const watch = watchPath(main, notifier.notify)
  let paths = first
  let isClosed = false
  let last: string | null = null

  async function look(): Promise<void> {
    const seen = (await Promise.all(paths.map(signatureOf))).join()
    if (last !== null && seen !== last) notifier.notify()
    last = seen
  }

  async function follow(): Promise<void> {
    watch.arm()
    for (;;) {
      await notifier.wait()
      await debounce(notifier, () => isClosed)
      if (isClosed) return
      watch.arm()
      onChange()
    }
  }

  const timer = setInterval(() => void look(), POLL_INTERVAL_MS)
  void look()
  void follow()
  return {
    set(next) {
      paths = next
      last = null
      void look()
    },
    close() {
      isClosed = true
      clearInterval(timer)
      watch.close()
      notifier.notify()
    },
  }
}
