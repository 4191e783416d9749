/**
 * Notices whatever may change what a path leads to. A watch on the file itself would be lost with the first editor that
 * renames a new file over it, so the directories are watched, each for the names that matter in it:
 *
 *   the directory of the file as it really lies         written in place, renamed over, deleted and made again
 *   the directory of every symlink on the way           a mounted config map swaps `..data`
 *   the directory above the file's                      the directory itself is replaced
 *
 * Which these are may change with any event: `arm` is called again after each. What no event tells (an ancestor further
 * up, a network filesystem) is left to the caller's poll.
 */
import { readlinkSync, statSync, watch } from 'node:fs'
import type { FSWatcher } from 'node:fs'
import { basename, dirname, isAbsolute, join, parse, resolve, sep } from 'node:path'

export interface PathWatch {
  /** Looks at where the path leads now and watches there. */
  arm(): void
  close(): void
}

interface Watched {
  readonly watcher: FSWatcher
  /** The directory that is watched, whatever stands under its name by now. */
  readonly inode: string
  names: ReadonlySet<string>
}

// The kernel's own limit for one lookup.
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
        // The directory's own end is told under its own name.
        const known = watched.get(directory)?.names
        if (name === null || known?.has(name) || name === basename(directory)) onChange()
      })
      watcher.on('error', () => drop(directory))
      watched.set(directory, { watcher, inode, names })
    } catch {
      // Gone in between, or no watches left: the poll sees what this one would have.
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

/** Follows the path as the kernel does: directories (real paths) and the names in them that decide where it leads. */
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
