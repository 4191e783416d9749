/** Reads files whose size and kind are not known: never more than a limit, and by default no pipe or device, whose read may not end. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'

export interface ReadLimits {
  readonly maxBytes: number
  /** Pipes and devices are read, too, to their end or the limit: for a file that a user names on the command line. */
  readonly isAnyKind?: boolean
}

const CHUNK_BYTES = 64 << 10

/** @throws {Error} why it cannot be read, as an error of the system, or with the reason as its message */
export function readBounded(path: string, { maxBytes, isAnyKind = false }: ReadLimits): Buffer {
  // Opening a pipe without a writer would block.
  const flags = isAnyKind ? constants.O_RDONLY : constants.O_RDONLY | constants.O_NONBLOCK
  const file = openSync(path, flags)
  try {
    const stat = fstatSync(file)
    if (stat.isDirectory()) throw new Error('it is a directory')
    if (!isAnyKind && !stat.isFile()) throw new Error('it is not a regular file')
    if (stat.size > maxBytes) throw new Error(`it is larger than ${sizeText(maxBytes)}`)
    // One byte more shows a file that grows, or has no size.
    return readUpTo(file, maxBytes + 1, stat.size + 1, maxBytes)
  } finally {
    closeSync(file)
  }
}

/** @throws {Error} as readBounded, and if it is no text */
export function readBoundedText(path: string, limits: ReadLimits): string {
  const bytes = readBounded(path, limits)
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (cause) {
    throw new Error('it is not UTF-8 text', { cause })
  }
}

function readUpTo(file: number, most: number, expected: number, maxBytes: number): Buffer {
  const chunks: Buffer[] = []
  let length = 0
  for (;;) {
    const left = Math.min(most - length, Math.max(expected - length, CHUNK_BYTES))
    const chunk = Buffer.alloc(left)
    const read = readSync(file, chunk)
    if (read === 0) return Buffer.concat(chunks, length)
    chunks.push(chunk.subarray(0, read))
    length += read
    if (length > maxBytes) throw new Error(`it is larger than ${sizeText(maxBytes)}`)
  }
}

function sizeText(bytes: number): string {
  for (const [unit, size] of [
    ['MiB', 1 << 20],
    ['KiB', 1 << 10],
  ] as const) {
    if (bytes >= size && bytes % size === 0) return `${bytes / size} ${unit}`
  }
  return `${bytes} bytes`
}
