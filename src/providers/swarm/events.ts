/**
 * What an event of a manager says to read. Services and nodes have events; tasks have none (moby#37403), but those of this node
 * are containers, which do.
 */
import { isMap } from '../../model/parsed.ts'

/** Null in `service`: read everything. */
export interface SwarmHint {
  /** Its id. */
  readonly service: string | null
}

/** The engine filters by these. */
export const EVENT_TYPES: readonly string[] = ['service', 'node', 'container']

/** With the id of a container's service. */
const SERVICE_LABEL = 'com.docker.swarm.service.id'
/** Others change nothing that is read, as exec_start, which each health check causes. */
const CONTAINER_ACTIONS: ReadonlySet<string> = new Set([
  ...['start', 'kill', 'die', 'stop', 'destroy', 'health_status'],
])

/** Null: nothing. */
export function readSwarmEvent(event: unknown): SwarmHint | null {
  if (!isMap(event)) return { service: null }
  const actor = isMap(event['Actor']) ? event['Actor'] : {}
  const attributes = isMap(actor['Attributes']) ? actor['Attributes'] : {}
  switch (event['Type']) {
    case 'service':
      return hintOf(actor['ID'])
    case 'container': {
      const { [SERVICE_LABEL]: service } = attributes
      // `health_status: healthy`
      const action = String(event['Action']).split(':', 1)[0] ?? ''
      return service === undefined || !CONTAINER_ACTIONS.has(action) ? null : hintOf(service)
    }
    case 'node':
      return { service: null }
    default:
      return null
  }
}

function hintOf(service: unknown): SwarmHint {
  return { service: typeof service === 'string' && service !== '' ? service : null }
}
