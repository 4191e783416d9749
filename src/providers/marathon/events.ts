/**
 * Events of Marathon's event bus (`GET /v2/events`). Their order is not guaranteed and some are missing, so they only say what
 * to read again: some apps, or all of them.
 */
import { isMap } from '../../model/parsed.ts'
import type { ServerSentEvent } from '../../http/server-sent-events.ts'

/** With the member that holds the id of the app; null: the event may be about any app. */
const RELEVANT: ReadonlyMap<string, string | null> = new Map([
  ['status_update_event', 'appId'],
  ['instance_changed_event', 'runSpecId'],
  ['unknown_instance_terminated_event', 'runSpecId'],
  ['instance_health_changed_event', 'runSpecId'],
  ['health_status_changed_event', 'appId'],
  ['add_health_check_event', 'appId'],
  ['remove_health_check_event', 'appId'],
  ['unhealthy_task_kill_event', 'appId'],
  ['unhealthy_instance_kill_event', 'appId'],
  ['app_terminated_event', 'appId'],
  ['api_post_event', null],
  ['group_change_success', null],
  ['deployment_info', null],
  ['deployment_success', null],
  ['deployment_failed', null],
  ['deployment_step_success', null],
  ['deployment_step_failure', null],
])

/**
 * With `event_type` for each event that matters: versions before 1.3.7 ignore it and send all of them. `plan-format=light`
 * leaves whole groups out of the events of deployments; from 1.7 on they never have them.
 */
export const EVENTS_PATH: string = `/v2/events?plan-format=light${[...RELEVANT.keys()]
  .map((type) => `&event_type=${type}`)
  .join('')}`

/** Ids of apps; `all`: any app; null: nothing that matters. */
export type Hint = ReadonlySet<string> | 'all' | null

/** One event may carry several documents, a line each. */
export function hintOf({ type, data, isCut }: Omit<ServerSentEvent, 'id'>): Hint {
  if (isCut) return RELEVANT.has(type) || type === 'message' ? 'all' : null
  const apps = new Set<string>()
  for (const line of data.split(/[\r\n]+/)) {
    if (line.trim() === '') continue
    const app = appOf(type, line)
    if (app === 'all') return 'all'
    if (app !== null) apps.add(app)
  }
  return apps.size === 0 ? null : apps
}

/** Every event is of the form of the documentation, so one that cannot be read may be about any app. */
function appOf(type: string, text: string): string | 'all' | null {
  const event = parse(text)
  if (!isMap(event)) return 'all'
  const named = typeof event['eventType'] === 'string' ? event['eventType'] : type
  const member = RELEVANT.get(named)
  if (member === undefined) return null
  const id = member === null ? null : event[member]
  return typeof id === 'string' && id.startsWith('/') ? id : 'all'
}

/** Undefined: not JSON. Values of any depth are parsed without recursion, and only the first level is read. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
