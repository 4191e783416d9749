/** JSON Pointer (RFC 6901): where something stands inside a document, `/frontends/vote/route`. */
import type { Path } from './parsed.ts'

export function toPointer(path: Path): string {
  return path.map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}
