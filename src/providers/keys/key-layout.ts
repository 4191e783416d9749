/** Every key of a registry as an object of its own, for templates: its id is the path below the prefix, and its value the text. */
import type { Layout } from '../layout.ts'

export interface KeyLayoutOptions {
  /** Only keys without keys below them count, as confd reads ZooKeeper. */
  readonly isFlat: boolean
  /** The prefix is the whole registry. */
  readonly isWhole: boolean
}

export function createKeyLayout({ isFlat, isWhole }: KeyLayoutOptions): Layout {
  // ZooKeeper's own znodes.
  const isNear = (path: string): boolean =>
    !isWhole || (path !== 'zookeeper' && !path.startsWith('zookeeper/'))
  return {
    name: 'keys',
    hasRoot: true,
    ...(isFlat ? { isFlat } : {}),
    isNear,
    groupOf: (path) => (isNear(path) && (path !== '' || !isWhole) ? path : null),
    read: (entries) =>
      entries.map(({ path, key, text, fault }) => ({
        kind: 'backend',
        id: path,
        key,
        value: text ?? undefined,
        ...(text === null ? { fault: fault ?? 'cannot be read' } : {}),
      })),
    pathOf: () => null,
  }
}
