/**
 * Watches for changes of the file that a path leads to. A watch on the file itself ends when an editor renames a new file
 * over it, so directories are watched, each for some names in it:
 *
 *   the real directory of the file                      written in place, renamed over, deleted and created
 *   the directory of every symlink on the way           a mounted config map swaps `..data`
 *   the directory above the file's                      the directory itself is replaced
 *
 * Any event may change which directories these are, so the caller must call `arm` after each. Changes without events (of a
 * directory further up, on a network file system) are left to the caller's poll. chokidar was tried instead: it misses the
 * swap of `..data` in a mounted config map.
 */
import { readlinkSync, statSync, watch } from 'node:fs'
import type { FSWatcher } from 'node:fs'
import { basename, dirname, isAbsolute, join, parse, resolve, sep } from 'node:path'

export interface PathWatch {
  /** Watches the directories that the path leads through now. */
  arm(): void
  close(): void
}

interface Watched {
  readonly watcher: FSWatcher
  /** Of the watched directory; its path may lead to another one by now. */
  readonly inode: string
  names: ReadonlySet<string>
}

// The limit of the Linux kernel, path_resolution(7).
const MAX_SYMLINKS = 40

export function watchPath(path: string, onChange: () => void): PathWatch {
  const watched = new Map<string, Watched>()

  function drop(directory: string): void {
    watched.get(directory)?.watcher.close()
    watched.delete(directory)
  }

  function open(directory: string, inode: string, names: ReadonlySet<string>): void {
    try {
      const watcher = watch(directory, (_event, name) => {
        // The removal of the directory is an event with its own name.
        const known = watched.get(directory)?.names
        if (name === null || known?.has(name) || name === basename(directory)) onChange()
      })
      watcher.on('error', () => drop(directory))
      watched.set(directory, { watcher, inode, names })
    } catch {
      // The directory is gone, or the limit of watches is reached: the poll notices changes.
    }
  }

  return {
    arm() {
      const points = watchPoints(path)
      for (const directory of watched.keys()) if (!points.has(directory)) drop(directory)
      for (const [directory, names] of points) {
        const inode = inodeOf(directory)
        const known = watched.get(directory)
        if (known !== undefined && known.inode === inode) {
          known.names = names
          continue
        }
        drop(directory)
        if (inode !== null) open(directory, inode, names)
      }
    },
    close() {
      for (const directory of watched.keys()) drop(directory)
    },
  }
}

function inodeOf(directory: string): string | null {
  const stat = statSync(directory, { throwIfNoEntry: false })
  return stat === undefined ? null : `${stat.dev}:${stat.ino}`
}

/** Resolves the path as the kernel does: from each directory (its real path) to the names in it that the path depends on. */
function watchPoints(path: string): Map<string, Set<string>> {
  const points = new Map<string, Set<string>>()
  const note = (entry: string): void => {
    const name = basename(entry)
    if (name === '') return
    const names = points.get(dirname(entry)) ?? new Set()
    points.set(dirname(entry), names.add(name))
  }

  const absolute = resolve(path)
  const root = parse(absolute).root
  let at = root
  let steps = absolute.slice(root.length).split(sep)
  let symlinks = 0
  for (let step = steps.shift(); step !== undefined; step = steps.shift()) {
    const entry = join(at, step)
    const target = symlinkTarget(entry)
    if (target === null || ++symlinks > MAX_SYMLINKS) {
      at = entry
      continue
    }
    note(entry)
    steps = [...target.split(sep), ...steps]
    if (isAbsolute(target)) at = root
  }
  note(at)
  note(dirname(at))
  return points
}

function symlinkTarget(entry: string): string | null {
  try {
    return readlinkSync(entry)
  } catch {
    return null
  }
}
