/**
 * What an event of the engine says to do. Events only name containers that are then read: Docker and Podman name them
 * differently (`die` and `died`), and neither repeats one that was lost.
 */
import { isMap } from '../../model/parsed.ts'

export type Hint =
  /** A signal was sent to the container, a number or a name. */
  | { readonly kind: 'signal'; readonly id: string; readonly signal: string }
  | { readonly kind: 'start'; readonly id: string }
  /** Something else of it has changed. */
  | { readonly kind: 'changed'; readonly id: string }
  /** It does not say of which container. */
  | { readonly kind: 'unknown' }

/** As for `docker ps` and `docker network`: the server filters by these only. */
export const EVENT_TYPES: readonly string[] = ['container', 'network']

const CHANGES: ReadonlySet<string> = new Set([
  ...['die', 'died', 'stop', 'oom', 'pause', 'unpause', 'rename', 'update'],
  ...['destroy', 'remove', 'cleanup', 'health_status'],
])

/** Null: it changes nothing that is read, as exec_start of health checks. */
export function readEvent(event: unknown): Hint | null {
  if (!isMap(event)) return { kind: 'unknown' }
  const actor = isMap(event['Actor']) ? event['Actor'] : {}
  const attributes = isMap(actor['Attributes']) ? actor['Attributes'] : {}
  // `health_status: healthy`; `status` and `id` are the old names.
  const action = String(event['Action'] ?? event['status'] ?? '').split(':', 1)[0] ?? ''
  if (event['Type'] === 'network') {
    if (action !== 'connect' && action !== 'disconnect') return null
    return named(attributes['container'], 'changed')
  }
  if (event['Type'] !== undefined && event['Type'] !== 'container') return null
  const id = actor['ID'] ?? event['id']
  // A restart is a start, and then the event restart.
  if (action === 'start') return named(id, 'start')
  if (action === 'kill') {
    const { signal } = attributes
    const hint = named(id, 'changed')
    // Podman 4 does not say which signal, and has no such event of a stop.
    if (hint.kind !== 'changed' || typeof signal !== 'string') return hint
    return { kind: 'signal', id: hint.id, signal }
  }
  return CHANGES.has(action) ? named(id, 'changed') : null
}

function named(id: unknown, kind: 'start' | 'changed'): Hint {
  return typeof id === 'string' && /^[0-9a-f]{12,64}$/.test(id) ? { kind, id } : { kind: 'unknown' }
}
