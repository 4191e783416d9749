/**
 * The mirror of a registry whose values may be sealed. Sealed texts are opened before the mirror takes them, in the order in
 * which they arrived, so that a later plain value of a key never comes into force before an earlier sealed one. Without
 * `layout.sealed` everything goes to the mirror immediately.
 *
 * What is opened is marked in its objects: messages and the API show none of their texts.
 */
import type { KeyEntry, Layout, SealedValues } from '../layout.ts'
import type { Declaration } from '../provider.ts'
import { createTextLimit } from './text-limit.ts'
import { createMirror, type Mirror, type MirrorDeclaration } from './mirror.ts'

export interface OpenedMirror extends Pick<Mirror, 'hasNews' | 'replace' | 'put' | 'delete'> {
  /**
   * As of Mirror, once what has arrived until now is opened, which takes milliseconds for each new sealed value. Call it again
   * only when it has settled. It throws if the signal aborts meanwhile.
   */
  declare(about: MirrorDeclaration): Promise<Declaration>
}

type Arrival =
  | { readonly entry: KeyEntry }
  | { readonly gone: string }
  | { readonly list: readonly KeyEntry[]; readonly isStep: boolean }

/** `signal`: of the watch. */
export function createOpenedMirror(layout: Layout, signal: AbortSignal): OpenedMirror {
  const { sealed } = layout
  if (sealed === undefined) return withAsyncDeclare(createMirror(layout))

  const mirror = createMirror(marking(layout))
  let arrivals: Arrival[] = []

  async function open(opener: SealedValues, entry: KeyEntry): Promise<KeyEntry> {
    signal.throwIfAborted()
    return opener.open(entry)
  }

  async function take(opener: SealedValues, arrival: Arrival): Promise<void> {
    if ('gone' in arrival) {
      mirror.delete(arrival.gone)
    } else if ('entry' in arrival) {
      const { entry } = arrival
      mirror.put(opener.isSealed(entry) ? await open(opener, entry) : entry)
    } else {
      const limit = createTextLimit()
      const opened: KeyEntry[] = []
      for (const entry of arrival.list) {
        opened.push(limit.take(opener.isSealed(entry) ? await open(opener, entry) : entry))
      }
      mirror.replace(opened, arrival.isStep)
    }
  }

  return {
    get hasNews() {
      return mirror.hasNews
    },
    replace(entries, isStep = false) {
      arrivals.push({ list: [...entries], isStep })
    },
    put(entry) {
      arrivals.push({ entry })
    },
    delete(path) {
      arrivals.push({ gone: path })
    },
    async declare(about) {
      const taken = arrivals
      arrivals = []
      for (const arrival of taken) await take(sealed, arrival)
      signal.throwIfAborted()
      return mirror.declare(about)
    },
  }
}

function withAsyncDeclare(mirror: Mirror): OpenedMirror {
  return {
    get hasNews() {
      return mirror.hasNews
    },
    replace: mirror.replace,
    put: mirror.put,
    delete: mirror.delete,
    declare: (about) => Promise.resolve(mirror.declare(about)),
  }
}

/** An object of several keys is marked if one of them was sealed. */
function marking(layout: Layout): Layout {
  return {
    ...layout,
    read(entries, entriesOf) {
      let isSealed = entries.some((one) => one.isSealed === true)
      const objects = layout.read(entries, (group) => {
        const others = entriesOf(group)
        isSealed ||= others.some((one) => one.isSealed === true)
        return others
      })
      return isSealed ? objects.map((one) => ({ ...one, isSealed: true as const })) : objects
    },
  }
}
