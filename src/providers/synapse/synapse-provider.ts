/**
 * A configuration of synapse as a source: each service is a listener on its port and a backend, whose servers are the
 * instances that its watchers find. The file is read again when it changes; the registries, engines and zones that it names
 * are followed by themselves, so that one that is away, or an expired session, ends nothing.
 */
import { messageOf } from '../../model/error-message.ts'
import type { Problem } from '../../model/problem.ts'
import type { ResolverSettings } from '../../model/settings.ts'
import { beside } from '../source-kind.ts'
import { createObjectMirror } from '../listing/object-mirror.ts'
import { createNotifier } from '../notifier.ts'
import type { Declaration, DeclaredObject, Provider } from '../provider.ts'
import { setTimeout as passed } from 'node:timers/promises'
import { declareService, type DeclaredService } from './declare.ts'
import type { Feed } from './feed-plan.ts'
import { createFeeds } from './feeds.ts'
import { createFileOutput, type FileOutput } from './file-output.ts'
import type { Instance } from './instance.ts'
import { createMemory } from './memory.ts'
import { openFeed } from './open-feed.ts'
import { planSynapse, type SynapsePlan } from './plan.ts'
import { planProblems } from './problems.ts'
import { readSynapseConfig, type SynapseConfig } from './read-config.ts'
import { watchConfig } from './watch-config.ts'

export interface SynapseOptions {
  readonly name: string
  /** Of the configuration. */
  readonly file: string
  readonly resolver: ResolverSettings
  readonly open?: (feed: Feed, resolver: ResolverSettings) => Promise<Provider>
  /** How long the first declaration waits for registries. */
  readonly answerMs?: number
  /** Ms since the epoch. */
  readonly now?: () => number
}

const ANSWER_MS = 3_000
/** Changes that come together are one. */
const SETTLE_MS = 5
const ASKED = 'asked'

interface Read {
  readonly config: SynapseConfig
  readonly plan: SynapsePlan
}

export function createSynapseProvider(options: SynapseOptions): Provider {
  const { name, file, resolver, open = openFeed, answerMs = ANSWER_MS, now = Date.now } = options
  const reloads = new Set<() => void>()
  let rememberMs = 0
  const memory = createMemory(now, () => rememberMs)

  function read(): Read {
    const config = readSynapseConfig(file)
    const plan = planSynapse(config.root)
    rememberMs = plan.rememberMs
    return { config, plan }
  }

  async function* watch(signal: AbortSignal): AsyncGenerator<Declaration, void, undefined> {
    const notifier = createNotifier()
    const mirror = createObjectMirror()
    const startedAt = performance.now()
    /** Undefined: nothing has changed; null: single changes; else why it was listed. */
    let news: string | null | undefined
    const note = (listed: string | null): void => {
      if (news !== ASKED) news = listed ?? news ?? null
      notifier.notify()
    }
    const feeds = createFeeds({
      open: (feed) => open(feed, resolver),
      onChange: (listed) => note(listed),
    })
    let current = read()
    /** Why the file cannot be read since it was edited. */
    let fault: string | null = null
    let output: FileOutput | null = null
    let outputDirectory: string | null = null
    adopt(current)
    const files = watchConfig(current.config.paths, () => reread('changed'))

    function adopt({ plan }: Read): void {
      feeds.set(plan.feeds)
      const directory = plan.outputDirectory === null ? null : beside(file, plan.outputDirectory)
      if (directory === outputDirectory) return
      outputDirectory = directory
      output = directory === null ? null : createFileOutput(directory, () => note(null))
    }

    function reread(listed: string): void {
      try {
        current = read()
        fault = null
        adopt(current)
        files.set(current.config.paths)
      } catch (error) {
        fault = messageOf(error)
      }
      note(listed)
    }

    function declare(why: string | null, changedAt: number): Declaration {
      const { plan, config } = current
      const world = { ...feeds, previousOf: memory.previousOf }
      const declared = plan.services.map(
        (service) => [service, declareService(service, world)] as const,
      )
      for (const [service, { known }] of declared) memory.keep(service.name, known)
      const found = new Map<string, readonly Instance[]>()
      for (const [service, { instances }] of declared) {
        if (service.writesFile) found.set(service.name, instances)
      }
      output?.write(found)
      const { objects, problems } = unique(declared.map(([, one]) => one))
      const faults = [fault, output?.fault ?? null].flatMap((one) =>
        one === null ? [] : toProblem(file, one),
      )
      return mirror.declare(
        {
          objects,
          problems: [...faults, ...planProblems(plan, config), ...feeds.problems(), ...problems],
        },
        why,
        changedAt,
      )
    }

    const onReload = (): void => {
      reread(ASKED)
      feeds.reload()
    }
    signal.addEventListener('abort', notifier.notify)
    reloads.add(onReload)
    try {
      const late = passed(answerMs, null, { signal, ref: false }).catch(() => null)
      await Promise.race([feeds.answered(), late])
      if (signal.aborted) return
      news = undefined
      yield declare('first', startedAt)
      while (!signal.aborted) {
        if (news === undefined) await notifier.wait()
        if (news === undefined || signal.aborted) continue
        const changedAt = performance.now()
        await passed(SETTLE_MS)
        if (signal.aborted) return
        const why = news
        news = undefined
        const declaration = declare(why, changedAt)
        if (mirror.hasNews) yield declaration
      }
    } finally {
      signal.removeEventListener('abort', notifier.notify)
      reloads.delete(onReload)
      files.close()
      feeds.close()
    }
  }

  return {
    name,
    watch,
    reload() {
      for (const reload of reloads) reload()
    },
    checkpoint: memory.checkpoint,
    restore: memory.restore,
  }
}

function toProblem(file: string, message: string): Problem {
  return { kind: 'source', id: '', source: '', key: file, message }
}

/** Two services may have one name, as ids have it: the first counts. */
function unique(services: readonly DeclaredService[]): {
  readonly objects: readonly DeclaredObject[]
  readonly problems: readonly Problem[]
} {
  const names = new Map<string, DeclaredObject>()
  const problems: Problem[] = []
  for (const service of services) {
    problems.push(...service.problems)
    for (const object of service.objects) {
      const { kind, id, key } = object
      const owner = names.get(`${kind} ${id}`)
      if (owner === undefined) names.set(`${kind} ${id}`, object)
      else if (owner.key !== key && kind !== 'server') {
        problems.push({
          kind,
          id,
          source: '',
          key,
          message: `${owner.key} has the same name, and is used`,
        })
      }
    }
  }
  return { objects: [...names.values()], problems }
}
