/**
 * Notices whatever may change what stands in a directory, and which of its files did: among 10,000 of them only those
 * that were written are looked at. What is not told by name (the directory is replaced, a mounted config map swaps
 * `..data`, a target of symlinks changes) means all of them.
 */
import { statSync, watch } from 'node:fs'
import type { FSWatcher } from 'node:fs'
import { watchPath } from '../file/path-watch.ts'

export interface DirectoryWatch {
  /** What was heard of since the last call; null: it may be any. */
  takeHeard(): ReadonlySet<string> | null
  /** Watches where the path leads now, and the directories that its symlinks lead to. */
  arm(targets: ReadonlySet<string>): void
  close(): void
}

interface Watched {
  readonly watcher: FSWatcher
  /** The directory that is watched, whatever stands under its name by now. */
  readonly inode: string
}

// More are left to the poll.
const maxTargets = 100

export function watchDirectory(
  directory: string,
  isOurs: (name: string) => boolean,
  onChange: () => void,
): DirectoryWatch {
  const watched = new Map<string, Watched>()
  let heard = new Set<string>()
  let isAny = false

  const hearAny = (): void => {
    isAny = true
    onChange()
  }
  const place = watchPath(directory, hearAny)

  function hear(at: string, name: string | null): void {
    if (at === directory && name !== null && isOurs(name)) {
      heard.add(name)
      onChange()
      // An editor's file beside ours means nothing, unless symlinks lead through it.
    } else if (at !== directory || name === null || name.startsWith('..') || watched.size > 1) {
      hearAny()
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
      const watcher = watch(at, (_event, name) => hear(at, name))
      watcher.on('error', () => drop(at))
      watched.set(at, { watcher, inode })
    } catch {
      // Gone in between, or no watches left: the poll sees what this one would have.
    }
  }

  return {
    takeHeard() {
      const names = isAny ? null : heard
      heard = new Set()
      isAny = false
      return names
    },
    arm(targets) {
      place.arm()
      const wanted = new Set([directory, ...[...targets].slice(0, maxTargets)])
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
