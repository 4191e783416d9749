/** A configuration that the program was started with, as a source: it is declared once, and again when it is asked for. */
import { parseDocument } from '../../document/document.ts'
import { createNotifier } from '../notifier.ts'
import type { Declaration, Provider } from '../provider.ts'

/** `name`: of the source, and in the keys of its objects. `text`: JSON, in the form of a file. */
export function createTextProvider(name: string, text: string): Provider {
  const reloads = new Set<() => void>()

  function declare(listed: string): Declaration {
    const document = parseDocument(text, name, null, null, 'json')
    const { problems } = document
    if (!document.readable || problems.length > 0) {
      throw new Error(problems.map(({ message }) => message).join('; '))
    }
    return {
      readable: true,
      revision: '1',
      objects: document.objects,
      changes: null,
      listed,
      problems,
      changedAt: performance.now(),
    }
  }

  async function* watch(signal: AbortSignal): AsyncGenerator<Declaration, void, undefined> {
    const notifier = createNotifier()
    signal.addEventListener('abort', notifier.notify)
    reloads.add(notifier.notify)
    try {
      for (let listed = 'first'; !signal.aborted; listed = 'asked') {
        yield declare(listed)
        await notifier.wait()
      }
    } finally {
      reloads.delete(notifier.notify)
      signal.removeEventListener('abort', notifier.notify)
    }
  }

  return {
    name,
    watch,
    reload() {
      for (const reload of reloads) reload()
    },
  }
}
