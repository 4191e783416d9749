/** The apps as last read. An app that has not changed stays the same object, so that its translation can be kept. */
import { isDeepStrictEqual } from 'node:util'
import type { AppFault, MarathonApp, ParsedApps } from './app.ts'

export interface KnownApps {
  /** All that there are. An app that cannot be read stays what it was. */
  replaceAll(parsed: ParsedApps): void
  /** Null: it is gone. */
  replace(id: string, app: MarathonApp | AppFault | null): void
  /** By id, ascending. */
  list(): readonly MarathonApp[]
  faults(): readonly AppFault[]
}

export function createKnownApps(): KnownApps {
  let apps = new Map<string, MarathonApp>()
  let faults: readonly AppFault[] = []
  let sorted: readonly MarathonApp[] | null = null

  function keep(app: MarathonApp): MarathonApp {
    const before = apps.get(app.id)
    return before !== undefined && isDeepStrictEqual(before, app) ? before : app
  }

  return {
    replaceAll(parsed) {
      const next = new Map(parsed.apps.map((app) => [app.id, keep(app)]))
      for (const { id } of parsed.faults) {
        const before = id === null ? undefined : apps.get(id)
        if (before !== undefined && !next.has(before.id)) next.set(before.id, before)
      }
      apps = next
      faults = parsed.faults
      sorted = null
    },
    replace(id, app) {
      faults = faults.filter((fault) => fault.id !== id)
      sorted = null
      if (app === null) apps.delete(id)
      else if ('message' in app) faults = [...faults, { ...app, id }]
      else apps.set(id, keep(app))
    },
    list() {
      sorted ??= [...apps.values()].sort((one, other) => (one.id < other.id ? -1 : 1))
      return sorted
    },
    faults: () => faults,
  }
}
