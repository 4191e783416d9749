/** What admission would say of one object by itself, before it is written to a registry. */
import { refuseId, splitParts } from '../../model/names.ts'
import type { Parsed } from '../../model/parsed.ts'
import { parseHost } from '../../schema/host-certificate.ts'
import type { ObjectKind } from '../../providers/provider.ts'
import { parseServerPart } from './admit-backends.ts'
import { parseWholeBackend } from './backend.ts'
import { parseWholeFrontend } from './frontend.ts'
import { parseWholeListener } from './listener.ts'
import { parseWholeMiddleware } from './middleware.ts'

/** Null: nothing is wrong with it. `read` gives the files that it names. */
export function refuseObject(
  kind: ObjectKind,
  id: string,
  value: unknown,
  read: (path: string) => string,
): string | null {
  const wrongId = refuseName(kind, id)
  if (wrongId !== null) return wrongId
  const parsed = parse(kind, id, value, read)
  return parsed.ok ? null : parsed.problems.map(({ message }) => message).join('; ')
}

/** Why there can be no such object, whatever it holds. */
export function refuseName(kind: ObjectKind, id: string): string | null {
  if (kind === 'host' && id.startsWith('*.')) return refuseId(id.slice(2))
  if (kind !== 'server' && kind !== 'middleware') return refuseId(id)
  const [whole, part] = splitParts(id)
  if (!id.includes('/')) {
    const of = kind === 'server' ? 'BACKEND/SERVER' : 'FRONTEND/MIDDLEWARE'
    return `the id of a ${kind} is ${of}, not ${JSON.stringify(id)}`
  }
  return refuseId(whole) ?? refuseId(part)
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
