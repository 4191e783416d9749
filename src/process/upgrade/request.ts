/**
 * The program that an upgrade is to start, if it is another one, as `sluice upgrade --to` writes it into the data folder before
 * it sends the signal. It is not asked for over the network: what may write this file can become the user of Sluice anyway.
 */
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'

export interface UpgradeRequest {
  /** Absolute; null: the program itself. */
  readonly to: string | null
  readonly withinMs: number
}

const FILE = 'upgrade-to.json'
const MAX_BYTES = 64 * 1024
const FRESH_MS = 60_000
const WRITABLE_BY_OTHERS = 0o022

export function writeRequest(folder: string, request: UpgradeRequest): void {
  const path = join(folder, FILE)
  rmSync(path, { force: true })
  writeFileSync(path, `${JSON.stringify(request)}\n`, { mode: 0o644, flag: 'wx' })
}

/** Takes it: the next upgrade has none. Null: there is none. Throws if it is not of this user or of root, or no request. */
export function takeRequest(folder: string, uid: number): UpgradeRequest | null {
  const path = join(folder, FILE)
  let fd: number
  try {
    // A named pipe would block.
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw error
  }
  try {
    const found = fstatSync(fd)
    const { uid: owner, mode, size } = found
    const isOthers = (owner !== 0 && owner !== uid) || (mode & WRITABLE_BY_OTHERS) !== 0
    if (isOthers || size > MAX_BYTES || !found.isFile()) {
      throw new Error(`${path} is not used: it must be a file of this user or of root alone`)
    }
    // A command that was ended before its signal.
    if (Date.now() - found.mtimeMs > FRESH_MS) return null
    return parse(readFileSync(fd, 'utf8'), path)
  } finally {
    closeSync(fd)
    rmSync(path, { force: true })
  }
}

function parse(text: string, path: string): UpgradeRequest {
  try {
    const { to, withinMs } = JSON.parse(text) as Readonly<Record<string, unknown>>
    const isGood = (to === null || typeof to === 'string') && typeof withinMs === 'number'
    if (isGood) return { to, withinMs }
  } catch {
    // The same as another text.
  }
  throw new Error(`${path} is not used: it is no request of "sluice upgrade"`)
}
