/**
 * A standalone Swarm as a source: the hosts in a registry, each followed as a Docker engine. The registry and the engines are
 * watched by themselves. While one is away, what it said last stays and is listed as a problem, and the others are followed.
 * Only at the beginning of a watch is a registry that cannot be read the loss of the source.
 */
import { setTimeout as passed } from 'node:timers/promises'
import type { Problem } from '../../model/problem.ts'
import { createObjectMirror } from '../listing/object-mirror.ts'
import { createNotifier } from '../notifier.ts'
import type { Declaration, DeclaredObject, Provider } from '../provider.ts'
import { createEngines } from './engines.ts'
import { keepWatching } from '../listing/keep-watching.ts'

export interface StandaloneOptions {
  readonly name: string
  /** With hostsLayout. */
  readonly registry: Provider
  readonly openEngine: (host: string) => Provider
  /** How long the first declaration waits for all engines. */
  readonly answerMs?: number
}

const ANSWER_MS = 3_000
const MAX_HOSTS = 1_000
/** Why a source is listed at a reload. */
const ASKED = 'asked'

export function createStandaloneProvider(options: StandaloneOptions): Provider {
  const { name, registry, openEngine, answerMs = ANSWER_MS } = options
  const reloads = new Set<() => void>()

  async function* watch(signal: AbortSignal): AsyncGenerator<Declaration, void, undefined> {
    const ending = new AbortController()
    const whole = AbortSignal.any([signal, ending.signal])
    const notifier = createNotifier()
    const mirror = createObjectMirror()
    const startedAt = performance.now()
    const hosts = { isListed: false, lost: null as Error | null, problems: [] as Problem[] }
    /** Undefined: nothing has changed; null: single changes; else why it was listed. */
    let news: string | null | undefined
    const engines = createEngines({
      name,
      open: openEngine,
      onChange: (listed) => note(listed === null || listed === ASKED ? listed : 'engine'),
    })

    function note(listed: string | null): void {
      if (news !== ASKED) news = listed ?? news ?? null
      notifier.notify()
    }

    function takeHosts({ objects, problems, listed }: Declaration): void {
      const found = readHosts(name, objects)
      hosts.isListed = true
      hosts.lost = null
      hosts.problems = [...problems, ...found.problems]
      engines.set(found.hosts)
      note(listed)
    }

    function declare(why: string | null, changedAt: number): Declaration {
      const lost = hosts.lost === null ? [] : [sourceProblem(name, 'hosts', hosts.lost.message)]
      const problems = [...lost, ...hosts.problems, ...engines.problems()]
      const declaration = mirror.declare({ objects: engines.objects(), problems }, why, changedAt)
      return { ...declaration, isUnread: ({ part = '' }) => engines.isUnread(part) }
    }

    const onAbort = (): void => notifier.notify()
    const onReload = (): void => engines.reload()
    signal.addEventListener('abort', onAbort)
    reloads.add(onReload)
    void keepWatching(registry, whole, {
      onDeclaration: takeHosts,
      onLost(error) {
        hosts.lost = error
        note(null)
      },
    })
    try {
      while (!hosts.isListed) {
        if (signal.aborted) return
        if (hosts.lost !== null) throw hosts.lost
        await notifier.wait()
      }
      await Promise.race([
        engines.answered(),
        passed(answerMs, null, { signal: whole }).catch(() => null),
      ])
      news = undefined
      if (signal.aborted) return
      yield declare('first', startedAt)
      for (;;) {
        if (news === undefined) await notifier.wait()
        if (signal.aborted) return
        if (news === undefined) continue
        const why = news
        news = undefined
        const declaration = declare(why, performance.now())
        if (mirror.hasNews) yield declaration
      }
    } finally {
      signal.removeEventListener('abort', onAbort)
      reloads.delete(onReload)
      ending.abort()
      engines.close()
    }
  }

  return {
    name,
    watch,
    reload() {
      registry.reload()
      for (const reload of reloads) reload()
    },
  }
}

function readHosts(
  source: string,
  objects: Iterable<DeclaredObject>,
): { readonly hosts: ReadonlySet<string>; readonly problems: readonly Problem[] } {
  const hosts = new Set<string>()
  const problems: Problem[] = []
  for (const { value, fault, key } of objects) {
    if (typeof value === 'string' && hosts.size < MAX_HOSTS) hosts.add(value)
    else {
      const message = fault ?? `is more than ${MAX_HOSTS} hosts`
      problems.push(sourceProblem(source, key, message))
    }
  }
  return { hosts, problems: problems.slice(0, MAX_PROBLEMS) }
}

const MAX_PROBLEMS = 100

function sourceProblem(source: string, key: string, message: string): Problem {
  return { kind: 'source', id: '', source, key, message }
}
