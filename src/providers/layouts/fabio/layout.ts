/**
 * fabio's keys, read-only: `config` and all below it hold route commands, joined in the order of the keys; `noroute.html` is the
 * page for requests without a route. All commands are one group, because `route del` may concern any route.
 */
import type { KeyEntry, Layout } from '../../layout.ts'
import type { DeclaredObject } from '../../provider.ts'
import { type Command, readCommands } from './command.ts'
import { toObjects } from './objects.ts'

const CONFIG = 'config'
const NO_ROUTE = 'noroute.html'
/** The least that a frontend can have. */
const LAST = -1_000_000_000

export function createFabioLayout(): Layout {
  return {
    name: 'fabio',
    groupOf(path) {
      if (path === CONFIG || path.startsWith(`${CONFIG}/`)) return CONFIG
      return path === NO_ROUTE ? NO_ROUTE : null
    },
    read(entries) {
      const [first] = entries
      if (first?.path === NO_ROUTE) return [toNoRoute(first)]
      return toObjects(readEntries(entries))
    },
    pathOf: () => null,
  }
}

/** The commands in these keys, in their order. */
function readEntries(entries: readonly KeyEntry[]): readonly Command[] {
  const sorted = entries.toSorted((one, other) => (one.path < other.path ? -1 : 1))
  return sorted.flatMap(({ key, text, fault }): readonly Command[] => {
    if (text !== null) return readCommands(text, key)
    return [{ kind: 'bad', source: '', reason: fault ?? 'cannot be read', origin: { key } }]
  })
}

function toNoRoute({ key, text, fault }: KeyEntry): DeclaredObject {
  const about = { kind: 'frontend', id: NO_ROUTE, key } as const
  if (text === null) return { ...about, value: undefined, fault: fault ?? 'cannot be read' }
  const respond = { status: 404, body: text, type: 'text/html; charset=utf-8' }
  return { ...about, value: { route: 'PathPrefix("/")', priority: LAST, respond } }
}
