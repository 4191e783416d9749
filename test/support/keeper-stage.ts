/** A registrar over a fake: a registry in memory, whose keys have the name of who has written them. */
import type { TestContext } from 'node:test'
import { createKeeper } from '../../src/agent/registrar/keeper.ts'
import {
  EntryRefused,
  type Entry,
  type Link,
  type LinkListener,
} from '../../src/agent/registrar/link.ts'
import type {
  LinkState,
  Registrar,
  Registration,
  RegistrationState,
} from '../../src/agent/registrar/registrar.ts'
import { createWatch, turn, type Watch } from './until.ts'

const TTL_MS = 300

export interface MemoryRegistry {
  readonly keys: Map<string, { text: string; by: string }>
  /** What links were asked, in order. */
  readonly calls: string[]
  /** Throws instead of opening a link. */
  refusal: Error | null
  /** By key, why a write of it is refused. */
  readonly refused: Map<string, string>
  /** By key, why a look at it is. */
  readonly hidden: Map<string, string>
  /** By key, why a removal of it is. */
  readonly kept: Map<string, string>
  /** The end of a session removes what is left. */
  isRemovedAtEnd: boolean
  /** No call is answered. */
  isSilent: boolean
  /** Of the link that is open. */
  listener: LinkListener | null
}

export interface KeeperStage extends Pick<Watch, 'until'> {
  readonly registry: MemoryRegistry
  readonly registrar: Registrar
  readonly states: readonly string[]
  readonly links: readonly LinkState[]
}

export function startKeeper(
  t: TestContext,
  registry: MemoryRegistry = createMemoryRegistry(),
  by = 'a',
  now?: () => number,
): KeeperStage {
  const watch = createWatch()
  const states: string[] = []
  const links: LinkState[] = []
  const registrar = createKeeper({
    ...{ place: 'a fake', ttlMs: TTL_MS, ...(now === undefined ? {} : { now }) },
    open: (listener) => openMemory(registry, by, listener),
    refuse: ({ port }) => (port === 1 ? 'port 1 is refused' : null),
    toEntry,
    listener: {
      onRegistration({ service, id }, state: RegistrationState) {
        const reason = state.status === 'registered' ? '' : `: ${state.reason}`
        states.push(`${service}/${id} ${state.status}${reason}`)
        watch.changed()
      },
      onLink(state) {
        links.push(state)
        watch.changed()
      },
    },
  })
  t.after(() => registrar.close().catch(() => {}))
  return { registry, registrar, states, links, until: watch.until }
}

export function createMemoryRegistry(): MemoryRegistry {
  return {
    ...{ keys: new Map(), calls: [], refusal: null, refused: new Map() },
    ...{ hidden: new Map(), kept: new Map(), isRemovedAtEnd: false },
    ...{ isSilent: false, listener: null },
  }
}

function toEntry(one: Registration): Entry {
  const name = `${one.service}/${one.id}`
  const key = one.path ?? name
  return { name, registration: one, key, text: String(one.port), isSequential: false }
}

function openMemory(registry: MemoryRegistry, by: string, listener: LinkListener): Promise<Link> {
  const { keys, calls, refused, hidden, kept } = registry
  if (registry.refusal !== null) return Promise.reject(registry.refusal)
  registry.listener = listener
  let isClosed = false
  async function answer<T>(call: string, act: () => T): Promise<T> {
    calls.push(call)
    await turn()
    if (registry.isSilent) return new Promise(() => {})
    if (isClosed) throw new Error('the link is closed')
    return act()
  }
  return Promise.resolve({
    isRemovedAtEnd: registry.isRemovedAtEnd,
    put: ({ key, text }, mode) =>
      answer(`${mode} ${key} ${text}`, () => {
        const reason = refused.get(key)
        if (reason !== undefined) throw new EntryRefused(reason)
        const found = keys.get(key)
        if (mode === 'unless foreign' && found !== undefined && found.by !== by) return false
        keys.set(key, { text, by })
        return true
      }),
    remove: ({ key }) =>
      answer(`remove ${key}`, () => {
        const reason = kept.get(key)
        if (reason !== undefined) throw new EntryRefused(reason)
        if (keys.get(key)?.by === by) keys.delete(key)
      }),
    beat: (entries) =>
      answer('beat', () =>
        entries.map(({ key }) => {
          const found = keys.get(key)
          const reason = hidden.get(key)
          if (reason !== undefined) return new EntryRefused(reason)
          return found === undefined ? 'absent' : found.by === by ? 'current' : 'foreign'
        }),
      ),
    end: () =>
      answer('end', () => {
        if (!registry.isRemovedAtEnd) return
        for (const [key, one] of keys) if (one.by === by && !kept.has(key)) keys.delete(key)
      }),
    close() {
      isClosed = true
    },
  })
}

export function textsOf({ keys }: MemoryRegistry): Readonly<Record<string, string>> {
  return Object.fromEntries([...keys].map(([key, { text }]) => [key, text]))
}
