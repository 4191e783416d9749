/**
 * Where the keys of templates come from: a registry, whose own source follows it, the environment, or files. Unlike a source of
 * objects it is read below any path, and what it holds is text.
 */
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

export interface KeyListener {
  /**
   * All keys at or below the root. The map is live: it changes with the next call, and no sooner. `problems`: a line for each reason why
   * keys are not among them.
   */
  readonly onKeys: (root: string, keys: Keys, problems: readonly string[]) => void
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
      for (const root of roots) listener.onKeys(root, readEnvironment(process.env, root), [])
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
  function remove(key: string): void {
    keys.delete(key)
    declared.delete(key)
  }
  await keepWatching(provider, signal, {
    onDeclaration({ objects, changes, problems, isUnread = () => false }) {
      if (signal.aborted) return
      for (const [key, object] of changes === null ? declared : []) {
        if (!isUnread(object)) remove(key)
      }
      for (const { id } of changes?.deletes ?? []) remove(joinKey(root, id))
      for (const object of changes?.upserts ?? objects) {
        const { id, value, fault } = object
        const key = joinKey(root, id)
        keys.set(
          key,
          typeof value === 'string' ? { text: value } : { fault: fault ?? 'has no text' },
        )
        declared.set(key, object)
      }
      const messages = problems.map(({ message }) => message)
      onKeys(root, keys, messages)
    },
    onLost: ({ message }) => onLost(message, root),
  })
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
