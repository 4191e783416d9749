/**
 * Blue/green deployments of marathon-lb's zdd.py: apps with the same HAPROXY_DEPLOYMENT_GROUP are one app while the new one
 * replaces the old one, and of the old one's tasks as many are drained as the new one has healthy ones.
 */
import type { MarathonApp } from './app.ts'

export interface Colours {
  readonly apps: readonly MarathonApp[]
  /** Tasks of old apps that get no more requests. */
  readonly drained: ReadonlySet<string>
}

/**
 * Labels, ports and checks of a group are those of its oldest app; its id is the group's. Apps without a group stay as they
 * are. `serving`: ids of the tasks that could get requests.
 */
export function mergeColours(apps: readonly MarathonApp[], serving: ReadonlySet<string>): Colours {
  const drained = new Set<string>()
  const groups = new Map<string, MarathonApp>()
  const single: MarathonApp[] = []
  for (const app of apps) {
    const group = app.labels.get('HAPROXY_DEPLOYMENT_GROUP')?.replace(/^\/*/, '/')
    if (group === undefined || group === '/') {
      single.push(app)
      continue
    }
    const before = groups.get(group)
    groups.set(group, { ...(before === undefined ? app : merge(before, app)), id: group })
  }
  return { apps: [...single, ...groups.values()], drained }

  function merge(one: MarathonApp, other: MarathonApp): MarathonApp {
    const [older, newer] = order(one, other)
    const started = newer.tasks.filter(({ id }) => serving.has(id)).length
    const target = number(newer, 'TARGET_INSTANCES') ?? 1
    const drainable = Math.max(0, started + older.instances - target)
    const ids = older.tasks.map(({ id }) => id).sort()
    for (const id of ids.slice(0, Math.min(started, drainable))) drained.add(id)
    return { ...older, tasks: [...older.tasks, ...newer.tasks] }
  }
}

/** The one whose deployment started later is the new one; if it grows while the other shrinks back, it was scaled last. */
function order(one: MarathonApp, other: MarathonApp): [older: MarathonApp, newer: MarathonApp] {
  const [older, newer] = startedAt(one) < startedAt(other) ? [one, other] : [other, one]
  const isRollback =
    (number(newer, 'NEW_INSTANCES') ?? 0) !== 0 && scaledAt(older) > scaledAt(newer)
  return isRollback ? [newer, older] : [older, newer]
}

function startedAt({ labels }: MarathonApp): number {
  return timeOf(labels.get('HAPROXY_DEPLOYMENT_STARTED_AT') ?? '')
}

function scaledAt({ lastScalingAt }: MarathonApp): number {
  return timeOf(lastScalingAt)
}

/** Without a readable time an app is older than those with one. */
function timeOf(text: string): number {
  const time = Date.parse(text)
  return Number.isNaN(time) ? -Infinity : time
}

function number({ labels }: MarathonApp, name: string): number | null {
  const text = labels.get(`HAPROXY_DEPLOYMENT_${name}`) ?? ''
  return /^\d{1,6}$/.test(text) ? Number(text) : null
}
