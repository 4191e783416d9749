/**
 * The registries, engines and zones of a configuration, each followed by itself: one that is away keeps what it said last,
 * and delays no other. What is known of a place outlives an edit of the configuration.
 */
import { errorOf } from '../../model/error-message.ts'
import { isMap, type JsonMap } from '../../model/parsed.ts'
import type { Problem } from '../../model/problem.ts'
import { keepWatching } from '../listing/keep-watching.ts'
import type { DeclaredObject, Provider } from '../provider.ts'
import type { PlaceState } from './declare.ts'
import type { Feed } from './feed-plan.ts'
import type { Instance } from './instance.ts'

export interface Feeds {
  /** Follows these, and no others. */
  set(feeds: readonly Feed[]): void
  /** Null: it has not been read yet. */
  stateOf(place: string): PlaceState | null
  isLost(place: string): boolean
  problems(): readonly Problem[]
  /** Resolves when each has declared something or was lost. */
  answered(): Promise<void>
  reload(): void
  close(): void
}

export interface FeedsOptions {
  /** What it declares are instances, or configurations of services, whose `part` is their place. */
  readonly open: (feed: Feed) => Promise<Provider>
  /** `listed`: as in Declaration. */
  readonly onChange: (listed: string | null) => void
}

interface Followed {
  readonly feed: Feed
  readonly places: ReadonlySet<string>
  readonly stop: AbortController
  readonly answered: Promise<void>
  provider: Provider | null
  problems: readonly Problem[]
  /** Null while it is followed. */
  lost: string | null
}

const MAX_PROBLEMS = 100

export function createFeeds({ open, onChange }: FeedsOptions): Feeds {
  const followed = new Map<string, Followed>()
  const states = new Map<string, PlaceState>()

  function start(feed: Feed): Followed {
    const stop = new AbortController()
    const { promise: answered, resolve } = Promise.withResolvers<void>()
    const places = new Set(placesOf(feed))
    const one: Followed = { feed, places, stop, answered, provider: null, problems: [], lost: null }

    function take(objects: Iterable<DeclaredObject>, problems: readonly Problem[]): void {
      const read = [...objects]
      for (const [place, state] of toStates(read, places)) states.set(place, state)
      const faults = read.flatMap(({ fault, key }): readonly Problem[] =>
        fault === undefined ? [] : [{ kind: 'source', id: '', source: '', key, message: fault }],
      )
      one.problems = [...problems, ...faults].slice(0, MAX_PROBLEMS)
      one.lost = null
    }

    function lose({ message }: Error): void {
      if (stop.signal.aborted) return
      one.lost = message
      resolve()
      onChange(null)
    }

    async function follow(): Promise<void> {
      const provider = await open(feed)
      one.provider = provider
      await keepWatching(provider, stop.signal, {
        onDeclaration({ objects, problems, listed }) {
          if (stop.signal.aborted) return
          take(objects, problems)
          resolve()
          onChange(listed)
        },
        onLost: lose,
      })
    }

    follow()
      .catch((error: unknown) => lose(errorOf(error)))
      .finally(resolve)
    return one
  }

  const feedOf = (place: string): Followed | undefined =>
    [...followed.values()].find(({ places }) => places.has(place))

  return {
    set(feeds) {
      const wanted = new Map(feeds.map((feed) => [JSON.stringify(feed), feed]))
      for (const [key, { stop }] of followed) {
        if (wanted.has(key)) continue
        stop.abort()
        followed.delete(key)
      }
      for (const [key, feed] of wanted) if (!followed.has(key)) followed.set(key, start(feed))
      for (const place of states.keys()) if (feedOf(place) === undefined) states.delete(place)
    },
    stateOf: (place) => states.get(place) ?? null,
    isLost: (place) => (feedOf(place)?.lost ?? null) !== null,
    problems: () =>
      [...followed.values()].flatMap(({ feed, lost, problems }) => [
        ...(lost === null ? [] : [lostProblem(feed, lost)]),
        ...problems,
      ]),
    async answered() {
      await Promise.all([...followed.values()].map(({ answered }) => answered))
    },
    reload() {
      for (const { provider } of followed.values()) provider?.reload()
    },
    close() {
      for (const { stop } of followed.values()) stop.abort()
      followed.clear()
    },
  }
}

function lostProblem({ key }: Feed, reason: string): Problem {
  const message = `${reason}; what is known of its services stays`
  return { kind: 'source', id: '', source: '', key, message }
}

export function placesOf(feed: Feed): readonly string[] {
  switch (feed.kind) {
    case 'zookeeper':
    case 'etcd':
      return feed.paths.map(({ place }) => place)
    case 'docker':
      return feed.containers.map(({ place }) => place)
    case 'marathon':
      return feed.apps.map(({ place }) => place)
    case 'consul':
      return feed.services.map(({ place }) => place)
    case 'dns':
      return feed.names.map(({ place }) => place)
    default:
      return feed satisfies never
  }
}

/** Of all places: one without an object has no instances. In the order of keys, so that no list differs by its order alone. */
function toStates(
  objects: readonly DeclaredObject[],
  places: ReadonlySet<string>,
): ReadonlyMap<string, PlaceState> {
  const found = new Map<string, { instances: Instance[]; config: JsonMap | null }>()
  for (const place of places) found.set(place, { instances: [], config: null })
  const sorted = objects.toSorted((one, other) => (one.key < other.key ? -1 : 1))
  for (const { kind, value, part = '' } of sorted) {
    const state = found.get(part)
    if (state === undefined || value === undefined) continue
    if (kind === 'backend') state.config = isMap(value) ? value : null
    else state.instances.push(value as Instance)
  }
  return found
}
