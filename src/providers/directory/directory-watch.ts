/**
 * Watches a directory and reports which of its files may have changed, so that among 10,000 files only those that were
 * written are read. A change without a name (the directory is replaced, a mounted config map swaps `..data`, a symlink's
 * target changes) means all of them.
 */
import { statSync, watch } from 'node:fs'
import type { FSWatcher } from 'node:fs'
import { watchPath } from '../file/path-watch.ts'

export interface DirectoryWatch {
  /** The files that changed since the last call; null: any of them. */
  takeChanged(): ReadonlySet<string> | null
  /** Watches the directory that the path leads to now, and the targets of its symlinks. */
  arm(targets: ReadonlySet<string>): void
  close(): void
}

interface Watched {
  readonly watcher: FSWatcher
  /** Of the watched directory; its path may lead to another one by now. */
  readonly inode: string
}

// Further targets are only polled.
const MAX_TARGETS = 100

export function watchDirectory(
  directory: string,
  isOurs: (name: string) => boolean,
  onChange: () => void,
): DirectoryWatch {
  const watched = new Map<string, Watched>()
  let changed = new Set<string>()
  let isAny = false

  const noteAny = (): void => {
    isAny = true
    onChange()
  }
  const place = watchPath(directory, noteAny)

  function note(at: string, name: string | null): void {
    if (at === directory && name !== null && isOurs(name)) {
      changed.add(name)
      onChange()
      // Other files, such as an editor's, are ignored unless symlinks lead through them.
    } else if (at !== directory || name === null || name.startsWith('..') || watched.size > 1) {
      noteAny()
    }
  }

  function drop(at: string): void {
    watched.get(at)?.watcher.close()
    watched.delete(at)
  }

  function open(at: string): void {
    const inode = inodeOf(at)
    if (watched.get(at)?.inode === inode) return
    drop(at)
    isAny = true
    if (inode === null) return
    try {
      const watcher = watch(at, (_event, name) => note(at, name))
      watcher.on('error', () => drop(at))
      watched.set(at, { watcher, inode })
    } catch {
      // The directory is gone, or the limit of watches is reached: the poll notices changes.
    }
  }

  return {
    takeChanged() {
      const names = isAny ? null : changed
      changed = new Set()
      isAny = false
      return names
    },
    arm(targets) {
      place.arm()
      const wanted = new Set([directory, ...[...targets].slice(0, MAX_TARGETS)])
      for (const at of watched.keys()) if (!wanted.has(at)) drop(at)
      for (const at of wanted) open(at)
    },
    close() {
      place.close()
      for (const at of watched.keys()) drop(at)
    },
  }
}

function inodeOf(directory: string): string | null {
  try {
    const stat = statSync(directory, { throwIfNoEntry: false })
    return stat === undefined ? null : `${stat.dev}:${stat.ino}`
  } catch {
    return null
  }
}
