/** The keys of all templates, followed once for each source. A source that is away keeps what it said last. */
import { followKeys, type Keys } from '../providers/keys/key-source.ts'
import { isBelowAny, isWithin, joinKey, rootsOf } from '../providers/keys/key-paths.ts'
import type { KeySourceSpec, TemplateKeys } from '../model/template-settings.ts'
import type { TemplateKeyTexts } from './make-text.ts'

export interface KeyStores {
  /** What a template reads, without its prefix; null: it has not been read yet. */
  read(keys: TemplateKeys): TemplateKeyTexts | null
  /** Why the source of these keys is away; null: it is not. */
  lost(keys: TemplateKeys): string | null
  start(): void
  /** Resolves when nothing is followed any more. */
  stop(): Promise<void>
}

interface Followed {
  readonly keys: TemplateKeys['source']
  readonly roots: readonly string[]
  readonly byRoot: Map<string, Keys>
  readonly lost: Map<string | null, string>
  /** Roots with keys that templates do not get. */
  readonly partial: Set<string>
}

export interface KeyListener {
  /** What these keys hold, or whether their source is away, has changed. */
  readonly onChange: (isOf: (keys: TemplateKeys) => boolean) => void
  /** Null: it can be read again. */
  readonly onLost: (source: KeySourceSpec, reason: string | null) => void
  /** Some of its keys cannot be read, which was not so before. */
  readonly onPartial: (source: KeySourceSpec, reason: string) => void
}

export function createKeyStores(
  all: readonly TemplateKeys[],
  { onChange, onLost, onPartial }: KeyListener,
): KeyStores {
  const ending = new AbortController()
  const followed = new Map<string, Followed>()
  for (const keys of all) {
    const id = idOf(keys)
    if (followed.has(id)) continue
    const roots = rootsOf(all.filter((one) => idOf(one) === id).flatMap(({ read }) => read))
    const state = { byRoot: new Map(), lost: new Map(), partial: new Set<string>() }
    followed.set(id, { keys: keys.source, roots, ...state })
  }
  let under: Promise<unknown> = Promise.resolve()

  function storeOf(keys: TemplateKeys): Followed {
    const store = followed.get(idOf(keys))
    if (store === undefined) throw new Error('these keys are not followed')
    return store
  }

  function isUnread(keys: TemplateKeys): boolean {
    const { byRoot, roots } = storeOf(keys)
    return roots.some((root) => reads(keys, root) && !byRoot.has(root))
  }

  function follow(id: string, { keys, roots, byRoot, lost, partial }: Followed): Promise<void> {
    const isOf = (one: TemplateKeys, root: string | null): boolean =>
      idOf(one) === id && (root === null || reads(one, root))
    return followKeys(keys, roots, ending.signal, {
      onKeys(root, found, { changed, problems }) {
        const isFirst = !byRoot.has(root)
        byRoot.set(root, found)
        if (problems.length === 0) partial.delete(root)
        else if (!partial.has(root)) {
          partial.add(root)
          onPartial(keys, problems.join('; '))
        }
        const wasLost = lost.delete(root) || lost.delete(null)
        if (wasLost && lost.size === 0) onLost(keys, null)
        onChange((one) => isOf(one, root) && (isFirst || readsAny(one, changed)))
      },
      onLost(reason, root) {
        if (lost.get(root) === reason) return
        if (lost.size === 0) onLost(keys, reason)
        lost.set(root, reason)
        // The others are rendered already, and their report has the reason.
        onChange((one) => isOf(one, root) && isUnread(one))
      },
    })
  }

  return {
    read(keys) {
      const { byRoot, roots } = storeOf(keys)
      const texts = new Map<string, string>()
      const faults = new Map<string, string>()
      const wanted = new Set(keys.read)
      for (const root of roots) {
        if (!reads(keys, root)) continue
        const found = byRoot.get(root)
        if (found === undefined) return null
        for (const [key, value] of found) {
          if (!isBelowAny(key, wanted)) continue
          const shown = withoutPrefix(key, keys.prefix)
          texts.set(shown, 'text' in value ? value.text : '')
          if ('fault' in value) faults.set(shown, value.fault)
        }
      }
      return { texts, faults }
    },
    lost(keys) {
      const { lost } = storeOf(keys)
      const [reason] = lost.values()
      return reason ?? null
    },
    start() {
      under = Promise.all([...followed].map(([id, one]) => follow(id, one)))
      under.catch(() => {})
    },
    async stop() {
      ending.abort()
      await under
    },
  }
}

function reads({ read }: TemplateKeys, root: string): boolean {
  return read.some((key) => isWithin(key, root) || isWithin(root, key))
}

function readsAny({ read }: TemplateKeys, keys: ReadonlySet<string>): boolean {
  const wanted = new Set(read)
  for (const key of keys) if (isBelowAny(key, wanted)) return true
  return false
}

/** As confd: the prefix is cut off as text. */
export function withoutPrefix(key: string, prefix: string): string {
  return joinKey(key.startsWith(prefix) ? key.slice(prefix.length) : key) || '/'
}

function idOf({ source }: TemplateKeys): string {
  return JSON.stringify(source)
}
