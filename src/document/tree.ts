/** The result of reading a text in either notation: plain data, and the place of each part. */
import type { Path } from '../model/parsed.ts'

/** From 1. */
export interface Position {
  readonly line: number
  readonly column: number
}

/** The result of both readers. */
export interface Tree {
  /** Plain data: the top level is a map. */
  readonly root: Readonly<Record<string, unknown>>
  readonly locate: (path: Path) => Position | null
}

/** The text cannot be read as a whole. */
export class Unreadable extends Error {
  readonly position: Position | null

  constructor(message: string, position: Position | null) {
    super(message)
    this.name = 'Unreadable'
    this.position = position
  }
}

/** JSON Pointer (RFC 6901): a place inside a document, `/frontends/vote/route`. */
export function toPointer(path: Path): string {
  return path.map((step) => `/${escapeStep(String(step))}`).join('')
}

export function escapeStep(step: string): string {
  return /[~/]/.test(step) ? step.replaceAll('~', '~0').replaceAll('/', '~1') : step
}
