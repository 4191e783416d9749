/**
 * The control plane, assembled: follow -> merge -> admit -> diff -> publish. It runs on the main thread and in one piece
 * from a declaration to its publication, so that no two changes are ever half done at the same time.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Problem } from '../model/problem.ts'
import type { Declaration, Provider } from '../providers/provider.ts'
import type { Admission, Admitted, InForce, SetAside } from './admit.ts'
import { emptySnapshot } from './diff.ts'
import { followProvider } from './follow.ts'
import type { Follower, SourceStatus } from './follow.ts'
import { createJournal } from './journal.ts'
import type { ControlLog } from './journal.ts'
import { mergeDeclarations } from './merge.ts'
import type { Publisher } from './publish.ts'
import { withoutSecrets } from './secrets.ts'

export interface ControlOptions {
  /** In order of precedence. */
  readonly providers: readonly Provider[]
  readonly admission: Admission
  readonly publisher: Publisher
  readonly log: ControlLog
  /** ms since the epoch. */
  readonly now?: () => number
  /** From 0 up to 1. */
  readonly random?: () => number
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>
  /** How often the files that objects name (certificates) are looked at. */
  readonly filesMs?: number
}

/** What is in force, what is not and why, and where it all comes from. Without secrets. */
export interface Table {
  readonly number: number
  readonly inForce: number
  readonly objects: readonly InForce[]
  readonly setAside: readonly SetAside[]
  /** Of sources, and between them. */
  readonly problems: readonly Problem[]
  /** What serving threads could not bring into force, a port in use. */
  readonly threadProblems: readonly string[]
  readonly sources: readonly SourceStatus[]
}

export interface Control {
  /** Resolves once every source has declared something and that is admitted; rejects if one cannot be read. */
  start(): Promise<void>
  /** Every source is read again, and every file that objects name. */
  reload(): void
  table(): Table
  sources(): readonly SourceStatus[]
  stop(): Promise<void>
}

/** One provider with what it said last. */
interface Source {
  readonly provider: Provider
  declaration: Declaration | null
  /** Why it cannot be read right now. */
  trouble: readonly Problem[]
}

export function createControl(options: ControlOptions): Control {
  const { providers, admission, publisher, log } = options
  const { now = Date.now, random = Math.random, sleep = sleepUntil, filesMs = 5000 } = options
  const journal = createJournal(log)
  const stopping = new AbortController()
  const sources = providers.map((provider): Source => ({
    provider,
    declaration: null,
    trouble: [],
  }))
  publisher.listen({ onPublished: journal.changed })
  let followers: readonly Follower[] = []
  let admitted: Admitted = { snapshot: emptySnapshot, problems: [], setAside: [] }
  let files: NodeJS.Timeout | null = null

  function follow(source: Source, onFirst: () => void, onLost: (error: Error) => void): Follower {
    return followProvider(source.provider, {
      signal: stopping.signal,
      now,
      random,
      sleep,
      onDeclaration(declaration) {
        source.declaration = declaration
        source.trouble = []
        bringIn(declaration.changedAt)
        // It holds the whole text, and what it was needed for is done.
        source.declaration = withoutText(declaration)
        onFirst()
      },
      onUnreadable({ problems }) {
        source.trouble = problems
        tell()
      },
      onLost,
    })
  }

  function bringIn(changedAt: number): void {
    const declared = sources.flatMap(({ provider, declaration }) =>
      declaration === null ? [] : { source: provider.name, declaration },
    )
    // Half of the sources is not what is declared: the first table waits for all of them.
    if (declared.length < sources.length) return
    admitted = admission.admit(mergeDeclarations(declared))
    publisher.publish(admitted.snapshot, changedAt)
    tell()
  }

  function tell(): void {
    const troubles = sources.flatMap(({ trouble }) => trouble)
    journal.problems([...troubles, ...admitted.problems, ...admitted.setAside])
  }

  async function stop(): Promise<void> {
    stopping.abort()
    if (files !== null) clearInterval(files)
    await Promise.all(followers.map((follower) => follower.done))
  }

  return {
    async start() {
      let isStarted = false
      const firsts = sources.map((source) => {
        const { promise, resolve, reject } = Promise.withResolvers<void>()
        const follower = follow(source, resolve, (error) => {
          if (isStarted) journal.lost(source.provider.name, error)
          else reject(error)
        })
        return { promise, follower }
      })
      followers = firsts.map(({ follower }) => follower)
      try {
        await Promise.all(firsts.map(({ promise }) => promise))
      } catch (error) {
        await stop()
        throw error
      }
      isStarted = true
      files = setInterval(() => {
        if (admission.hasChangedFiles()) bringIn(now())
      }, filesMs)
      files.unref()
    },
    reload() {
      for (const { provider } of sources) provider.reload()
    },
    table: () => ({
      number: publisher.number(),
      inForce: publisher.inForce(),
      objects: admission.inForce().map(withoutSecrets),
      setAside: admitted.setAside,
      problems: [...sources.flatMap(({ trouble }) => trouble), ...admitted.problems],
      threadProblems: publisher.threadProblems(),
      sources: followers.map((follower) => follower.status()),
    }),
    sources: () => followers.map((follower) => follower.status()),
    stop,
  }
}

function withoutText({ locate: _locate, ...rest }: Declaration): Declaration {
  return rest
}

async function sleepUntil(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal })
  } catch (error) {
    if (!signal.aborted) throw error
  }
}
