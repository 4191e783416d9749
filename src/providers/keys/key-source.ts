/**
 * Where the keys of templates come from: a registry, whose own source follows it, the environment, or files. Unlike a source of
 * objects it is read below any path, and what it holds is text.
 */
import { isEqual } from '../../model/equal.ts'
import { messageOf } from '../../model/error-message.ts'
import type { KeySourceSpec } from '../../model/template-settings.ts'
import type { SourceSpec } from '../../model/settings.ts'
import { consulKv } from '../consul-kv/source.ts'
import { etcd } from '../etcd/source.ts'
import { keepWatching } from '../listing/keep-watching.ts'
import type { DeclaredObject, Provider } from '../provider.ts'
import { redis } from '../redis/source.ts'
import type { SourceKind } from '../source-kind.ts'
import { zookeeper } from '../zookeeper/source.ts'
import { readEnvironment } from './environment.ts'
import { watchFiles } from './key-files.ts'
import { createKeyLayout } from './key-layout.ts'
import { joinKey } from './key-paths.ts'

/** The text of a key, or why it has none. */
export type KeyText = { readonly text: string } | { readonly fault: string }

/** By the whole key, with a slash at its beginning. */
export type Keys = ReadonlyMap<string, KeyText>

export interface KeyNews {
  /** Keys that are new or gone, or have another text. */
  readonly changed: ReadonlySet<string>
  /** A line for each reason why keys are missing. */
  readonly problems: readonly string[]
}

export interface KeyListener {
  /** All keys at or below the root. The map is live: it changes with the next call, and no sooner. */
  readonly onKeys: (root: string, keys: Keys, news: KeyNews) => void
  /** The source is away; what it said last stays. `root`: null for all of them. */
  readonly onLost: (reason: string, root: string | null) => void
}

/** Those that hold keys. */
export const KEY_KINDS: readonly SourceKind[] = [etcd, redis, consulKv, zookeeper]

/**
 * Follows the keys at and below each root until the signal aborts, and resolves then.
 *
 * @param roots none within another; '' has all keys
 */
export async function followKeys(
  spec: KeySourceSpec,
  roots: readonly string[],
  signal: AbortSignal,
  listener: KeyListener,
): Promise<void> {
  switch (spec.kind) {
    case 'registry':
      await Promise.all(roots.map((root) => followRoot(spec.source, root, signal, listener)))
      return
    case 'environment':
      for (const root of roots) {
        const keys = readEnvironment(process.env, root)
        listener.onKeys(root, keys, { changed: new Set(keys.keys()), problems: [] })
      }
      return
    case 'files':
      return watchFiles(spec, roots, signal, listener)
    default:
      spec satisfies never
  }
}

async function followRoot(
  source: SourceSpec,
  root: string,
  signal: AbortSignal,
  { onKeys, onLost }: KeyListener,
): Promise<void> {
  let provider: Provider
  try {
    provider = await openRoot(source, root)
  } catch (error) {
    // Its client cannot be loaded.
    onLost(messageOf(error), root)
    return
  }
  const keys = new Map<string, KeyText>()
  const declared = new Map<string, DeclaredObject>()
  const keyOf = ({ id }: Pick<DeclaredObject, 'id'>): string => joinKey(root, id)
  await keepWatching(provider, signal, {
    onDeclaration({ objects, changes, problems, isUnread = () => false }) {
      if (signal.aborted) return
      const changed = new Set<string>()
      // What a list lacks is gone, unless it could not be read.
      const isLacking = ([, object]: [string, DeclaredObject]): boolean => !isUnread(object)
      const gone = new Set(
        changes === null
          ? [...declared].filter(isLacking).map(([key]) => key)
          : changes.deletes.map(keyOf),
      )
      for (const object of changes?.upserts ?? objects) {
        const key = keyOf(object)
        const text = toText(object)
        gone.delete(key)
        declared.set(key, object)
        if (isEqual(keys.get(key), text)) continue
        keys.set(key, text)
        changed.add(key)
      }
      for (const key of gone) {
        declared.delete(key)
        if (keys.delete(key)) changed.add(key)
      }
      onKeys(root, keys, { changed, problems: problems.map(({ message }) => message) })
    },
    onLost: ({ message }) => onLost(message, root),
  })
}

function toText({ value, fault }: DeclaredObject): KeyText {
  return typeof value === 'string' ? { text: value } : { fault: fault ?? 'has no text' }
}

/** `source`: with a prefix that stands for nothing, see model/template-settings.ts. */
function openRoot(source: SourceSpec, root: string): Promise<Provider> {
  const kind = KEY_KINDS.find((one) => one.kind === source.kind)
  if (kind === undefined) throw new Error(`a source of kind ${source.kind} has no keys`)
  const isTree = kind === zookeeper
  const { prefix } = source as SourceSpec & { readonly prefix: string }
  const chroot = isTree ? prefix.slice(0, prefix.lastIndexOf('/')) : ''
  const below: SourceSpec & { readonly prefix: string } = { ...source, prefix: chroot + root }
  const layout = createKeyLayout({ isFlat: isTree, isWhole: root === '' })
  return kind.open(below, () => Promise.resolve(layout))
}
