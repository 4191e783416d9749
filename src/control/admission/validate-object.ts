/** Validates one object by itself, before it is written to a registry. */
import { flaw, type Flaw, type Parsed } from '../../model/parsed.ts'
import { parseHost } from '../../schema/host-certificate.ts'
import { refuseObjectName, type ObjectKind } from '../../model/names.ts'
import {
  parseServerPart,
  parseWholeBackend,
  parseWholeFrontend,
  parseWholeListener,
  parseWholeMiddleware,
} from './parse-objects.ts'

/** Why the object is invalid, or null. `read` returns the text of a file that it names. */
export function validateObject(
  kind: ObjectKind,
  id: string,
  value: unknown,
  read: (path: string) => string,
): string | null {
  const flaws = flawsOf(kind, id, value, read)
  return flaws.length === 0 ? null : flaws.map(({ message }) => message).join('; ')
}

/** The same, each flaw by itself. */
export function flawsOf(
  kind: ObjectKind,
  id: string,
  value: unknown,
  read: (path: string) => string,
): readonly Flaw[] {
  const wrongId = refuseObjectName({ kind, id })
  if (wrongId !== null) return [flaw([], wrongId)]
  const parsed = parse(kind, id, value, read)
  return parsed.ok ? [] : parsed.problems
}

function parse(
  kind: ObjectKind,
  id: string,
  value: unknown,
  read: (path: string) => string,
): Parsed<unknown> {
  switch (kind) {
    case 'listener':
      return parseWholeListener(id, value, read)
    case 'host':
      return parseHost(id, value, read)
    case 'backend':
      return parseWholeBackend(id, value, read)
    case 'server':
      return parseServerPart(id, value)
    case 'frontend':
      return parseWholeFrontend(id, value)
    case 'middleware':
      return parseWholeMiddleware(id, value)
    default:
      return kind satisfies never
  }
}
