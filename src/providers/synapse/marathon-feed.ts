/** The tasks of apps of a Marathon, which is read as often as `check_interval` says, as by synapse's marathon watcher. */
import { joinParts } from '../../model/names.ts'
import { isMap } from '../../model/parsed.ts'
import { createHttpClient } from '../http-client/http-client.ts'
import { toMemberId } from '../layouts/members/layout.ts'
import { problemAt } from '../labels/definition.ts'
import type { Problem } from '../../model/problem.ts'
import type { Listed } from '../listing/object-mirror.ts'
import { watchListing } from '../listing/watch-listing.ts'
import type { DeclaredObject, Provider } from '../provider.ts'
import type { MarathonApp, MarathonFeed } from './feed-plan.ts'
import { readInstance } from './instance.ts'

const TIMEOUT_MS = 4_000

export function createMarathonFeed({ key, url, intervalMs, apps }: MarathonFeed): Provider {
  const reloads = new Set<() => void>()

  async function* watch(signal: AbortSignal): ReturnType<typeof watchListing> {
    const client = createHttpClient({ what: 'Marathon', origin: url })
    const problems: Problem[] = []
    const read = async (
      app: MarathonApp,
      within: AbortSignal,
    ): Promise<readonly DeclaredObject[]> => {
      const { body } = await client.json(app.path, {
        ...{ signal: within, timeoutMs: TIMEOUT_MS, accept: [200, 404] },
      })
      return tasksOf(app, body, problems)
    }
    const list = async (within: AbortSignal): Promise<Listed> => {
      problems.length = 0
      const all = await Promise.all(apps.map((app) => read(app, within)))
      return { objects: all.flat(), problems: [...problems] }
    }
    try {
      yield* watchListing(
        { subscribe: null, list },
        { signal, reloads, reconcileMs: intervalMs, reconcileAs: null },
      )
    } finally {
      client.close()
    }
  }

  return { name: key, watch, reload: () => reloads.forEach((reload) => reload()) }
}

/** Those that have started. */
function tasksOf(
  { place, path, portIndex }: MarathonApp,
  body: unknown,
  problems: Problem[],
): readonly DeclaredObject[] {
  const tasks: unknown = isMap(body) ? body['tasks'] : null
  return (Array.isArray(tasks) ? (tasks as readonly unknown[]) : []).flatMap(
    (task): readonly DeclaredObject[] => {
      if (!isMap(task) || typeof task['startedAt'] !== 'string') return []
      const ports: unknown = task['ports']
      const port: unknown = Array.isArray(ports) ? ports[portIndex] : undefined
      const { host } = task
      const read = readInstance({ host, port, name: host })
      const key = `${String(host)} ${String(port)} ${String(task['id'])}`
      if (!read.ok || read.value.port === null) {
        problems.push(
          problemAt(path, read.ok ? `a task has no port with the index ${portIndex}` : read.reason),
        )
        return []
      }
      const id = joinParts(toMemberId(place), toMemberId(key))
      return [{ kind: 'server', id, key, part: place, value: read.value }]
    },
  )
}
