/**
 * The names of staged files, and the removal of those that a killed program has left. A name identifies the process that has staged the
 * file, which tells the files of a process that has ended from those of one that lives, and from files of the user.
 */
import { hash, randomBytes } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { lstat, readdir, unlink } from 'node:fs/promises'
import { hostname } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { isAlive, processStart } from '../model/process-start.ts'

/** No command may take so long, and so no living process has a staged file of this age. */
const OLD_MS = 25 * 3_600_000
const STAGED_BY = /^\.sluice-([0-9a-f]{8})-(\d+)-(\d+)$/
const KEPT_BY = randomBytes(6).toString('hex')

let self: { readonly space: string; readonly ending: string } | null = null

/** In the folder of the file. What a process stages for a file takes the place of what it has staged for it before. */
export function stagedPath(path: string): string {
  return beside(path, identify().ending)
}

/** Of a staged file that is to stay. */
export function keptPath(path: string): string {
  return beside(path, `.${KEPT_BY}`)
}

/**
 * Removes what processes that have ended have staged for a file. In another process space, as that of another container, it is not
 * known which processes live; there, old files are removed. Never throws. Returns how many were removed.
 *
 * @param now ms since the epoch
 */
export async function removeLeftovers(path: string, now: number): Promise<number> {
  const { space } = identify()
  const start = `.${basename(path)}`
  const folder = dirname(path)
  const names = await readdir(folder).catch(() => [])
  let removed = 0
  for (const name of names.filter((one) => one.startsWith(start))) {
    const [, within, pid, started] = STAGED_BY.exec(name.slice(start.length)) ?? []
    if (started === undefined) continue
    const leftover = join(folder, name)
    const stat = await lstat(leftover).catch(() => null)
    if (stat?.isFile() !== true) continue
    const isOver = within === space && !isAlive(Number(pid), started)
    if (!isOver && now - stat.mtimeMs < OLD_MS) continue
    const isRemoved = await unlink(leftover).then(
      () => true,
      () => false,
    )
    if (isRemoved) removed += 1
  }
  return removed
}

function beside(path: string, ending: string): string {
  return join(dirname(path), `.${basename(path)}${ending}`)
}

function identify(): { readonly space: string; readonly ending: string } {
  if (self !== null) return self
  // Ids of processes are unique within one boot of a machine and one of its namespaces.
  const where = [hostname(), bootId(), namespace()]
  const space = hash('sha256', where.join('\n'), 'hex').slice(0, 8)
  self = { space, ending: `.sluice-${space}-${process.pid}-${processStart('self') ?? 0}` }
  return self
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1')
  } catch {
    return ''
  }
}

function namespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid')
  } catch {
    return ''
  }
}
