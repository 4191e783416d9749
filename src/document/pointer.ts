/** JSON Pointer (RFC 6901): where something stands inside a document, `/frontends/vote/route`. */
import type { Path } from '../model/parsed.ts'

export function toPointer(path: Path): string {
  return path.map((step) => `/${escapeStep(String(step))}`).join('')
}

export function escapeStep(step: string): string {
  return /[~/]/.test(step) ? step.replaceAll('~', '~0').replaceAll('/', '~1') : step
}
