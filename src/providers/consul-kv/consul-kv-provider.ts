/**
 * The key-value store of Consul as a source of declarations: a list of all keys below the prefix, then blocking queries of the
 * same, whose differences are declared as single changes. Consul has no events of keys, so each change is a read of all of
 * them; consul-api/pace.ts limits what that may cost. If the agent is lost or silent, has no leader or refuses requests, the
 * provider throws, and the next watch begins with a list from another endpoint.
 */
import { errorOf } from '../../model/error-message.ts'
import type { Problem } from '../../model/problem.ts'
import { watchAgent, createAgents, type Agents } from '../consul-api/agents.ts'
import { followResource } from '../consul-api/follow-resource.ts'
import { readConsul, type ConsulRead } from '../consul-api/query.ts'
import type { HttpClient } from '../http-client/http-client.ts'
import type { Layout } from '../layout.ts'
import { createNotifier } from '../notifier.ts'
import type { Declaration, Provider } from '../provider.ts'
import { createOpenedMirror } from '../registry/opened-mirror.ts'
import { namelessProblems, type Nameless } from '../registry/nameless.ts'
import { listPath, MAX_LIST_BYTES, readListing, rootOf, type ListedKey } from './keys.ts'
import type { ConsulKvSource } from './source.ts'

export { openConsulKeyStore } from './consul-key-store.ts'

export interface ConsulKvProviderOptions {
  /** Between periodic lists, within a tenth. */
  readonly reconcileMs?: number
  /** performance.now(). */
  readonly now?: () => number
  /** From 0 up to 1. */
  readonly random?: () => number
}

export function createConsulKvProvider(
  spec: ConsulKvSource,
  layout: Layout,
  options: ConsulKvProviderOptions = {},
): Provider {
  const { reconcileMs = 60_000, now = () => performance.now(), random = Math.random } = options
  const agents = createAgents(spec, random)
  const reloads = new Set<() => void>()
  const seen: Seen = { index: 0n }

  return {
    name: spec.name,
    watch: (signal) =>
      watchKeys({ spec, layout, agents, reconcileMs, now, random, signal, reloads, seen }),
    reload() {
      for (const reload of reloads) reload()
    },
    checkpoint: () => String(seen.index),
    restore(checkpoint) {
      if (/^\d{1,19}$/.test(checkpoint)) seen.index = BigInt(checkpoint)
    },
  }
}

interface Seen {
  /** The highest. They only grow, unless a backup was restored. */
  index: bigint
}

interface Watching extends Required<ConsulKvProviderOptions> {
  readonly spec: ConsulKvSource
  readonly layout: Layout
  readonly agents: Agents
  readonly signal: AbortSignal
  readonly reloads: Set<() => void>
  /** By all watches and earlier processes. */
  readonly seen: Seen
}

interface Arrived {
  readonly read: ConsulRead
  /** As in Declaration. */
  readonly listed: string | null
  readonly at: number
  /** The next query waits until it is declared. */
  readonly taken: () => void
}

async function* watchKeys(watching: Watching): AsyncGenerator<Declaration, void, undefined> {
  const { spec, layout, agents, reconcileMs, now, random, reloads, seen } = watching
  if (watching.signal.aborted) return
  const root = rootOf(spec.prefix)
  const { hasRoot = false } = layout
  const path = listPath(hasRoot ? root.replace(/\/$/, '') : root)
  const query = { recurse: '' }
  const ending = new AbortController()
  const signal = AbortSignal.any([watching.signal, ending.signal])
  const notifier = createNotifier()
  const mirror = createOpenedMirror(layout, signal)
  let known: ReadonlyMap<string, ListedKey> = new Map()
  let problems: readonly Problem[] = []
  let index = 0n
  let failure: Error | null = null
  let wanted: string | null = null
  let outdatedLists = 0
  const arrived: Arrived[] = []

  function fail(error: unknown): void {
    failure ??= errorOf(error)
    notifier.notify()
  }

  function want(reason: string): void {
    if (wanted !== 'asked') wanted = reason
    notifier.notify()
  }

  function list(client: HttpClient): Promise<ConsulRead> {
    const options = { signal, maxBytes: MAX_LIST_BYTES, query, isConsistent: true }
    return readConsul(client, spec, path, options)
  }

  /** Resolves once it is declared. */
  function arrive(read: ConsulRead, listed: string | null): Promise<void> {
    return new Promise((taken) => {
      arrived.push({ read, listed, at: now(), taken })
      notifier.notify()
    })
  }

  function adopt(read: ConsulRead, isStep: boolean): void {
    const isOurs = (one: string): boolean => layout.groupOf(one) !== null
    const { keys, nameless } = readListing(read.body, root, isOurs, isStep ? known : null, hasRoot)
    problems = problemsOf(read, nameless, spec, root)
    if (isStep) {
      for (const one of known.keys()) if (!keys.has(one)) mirror.delete(one)
      for (const [one, key] of keys) if (known.get(one) !== key) mirror.put(key.entry)
    } else {
      mirror.replace([...keys.values()].map(({ entry }) => entry))
    }
    known = keys
  }

  function declare({ read, listed, at }: Omit<Arrived, 'taken'>): Promise<Declaration> {
    index = read.index ?? 0n
    const why = listed !== null && index < seen.index ? 'rewound' : listed
    adopt(read, why === null)
    if (index > seen.index || why === 'rewound') seen.index = index
    return mirror.declare({ revision: String(index), listed: why, changedAt: at, problems })
  }

  /** A list that was read before a change which is declared already is read again; twice, and the index went back. */
  function isOutdated({ read, listed }: Arrived): boolean {
    const isOld = listed !== null && listed !== 'rewound' && (read.index ?? 0n) < index
    outdatedLists = isOld ? outdatedLists + 1 : 0
    if (isOld && listed !== null) want(listed)
    if (outdatedLists > 1)
      fail(new Error(`Consul at ${opened?.origin} has gone back to an older state`))
    return isOld
  }

  const onReload = (): void => want('asked')
  const timer = setInterval(want, reconcileMs * (0.9 + random() * 0.2), 'reconcile')
  reloads.add(onReload)
  watching.signal.addEventListener('abort', notifier.notify)
  let stopHeartbeat: (() => void) | null = null
  let opened: HttpClient | null = null

  try {
    const { client, result: first } = await agents.open(list, signal)
    opened = client
    stopHeartbeat = watchAgent(client, fail)
    const onRead = (read: ConsulRead, hasGoneBack: boolean): Promise<void> =>
      arrive(read, hasGoneBack ? 'rewound' : null)
    followResource({
      ...{ client, access: spec, path, query, signal, now, onRead },
      maxBytes: MAX_LIST_BYTES,
      index: first.index,
    }).catch(fail)
    yield await declare({ read: first, listed: 'first', at: now() })
    let isListing = false
    while (!signal.aborted) {
      await notifier.wait()
      for (let next = arrived.shift(); next !== undefined; next = arrived.shift()) {
        if (signal.aborted) return
        if (!isOutdated(next)) {
          const declaration = await declare(next)
          if (next.listed !== null || mirror.hasNews) yield declaration
        }
        next.taken()
      }
      if (signal.aborted) return
      if (failure !== null) throw failure as Error
      if (wanted === null || isListing) continue
      const reason = wanted
      wanted = null
      isListing = true
      list(client)
        .then((read) => {
          isListing = false
          void arrive(read, reason)
        })
        .catch(fail)
    }
  } catch (error) {
    if (!watching.signal.aborted) throw error
  } finally {
    clearInterval(timer)
    stopHeartbeat?.()
    reloads.delete(onReload)
    watching.signal.removeEventListener('abort', notifier.notify)
    ending.abort()
    opened?.close()
  }
}

function problemsOf(
  { isFiltered }: ConsulRead,
  nameless: Nameless,
  { name: source }: ConsulKvSource,
  root: string,
): readonly Problem[] {
  const problems = namelessProblems(nameless, source, root)
  if (!isFiltered) return problems
  const message = `the ACL token may not read all keys below "${root}": give it key_prefix "${root}" { policy = "read" }`
  return [{ kind: 'source', id: '', source, key: root, message }, ...problems]
}
