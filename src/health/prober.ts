/**
 * Asks any number of servers, each as often as it wants, a bounded number of each backend at a time. All its time comes from `tick`, called
 * every 100 ms; it has no timers.
 *
 *   waiting --due--> in line --room--> under way --well--> recorded at once
 *                                                \--failed, or time over--> recorded with the next tick, or void
 *
 * A hold-up of our own never speaks against a server: when a tick comes late, failures since the tick before are void, and so
 * are later ones of probes that were under way then; the time of a hold-up is on nobody's time limit; and between the tick
 * that sees a time limit pass and the one that calls it a failure, the event loop has read what had long arrived.
 */
import { RiseAndFall } from '../policy/health/rise-and-fall.ts'
import { isEqual } from '../model/equal.ts'
import { describePlace, type Probe, type ProbeResult, type ProbeTarget } from './probe.ts'
import { createFairQueue } from './fair-queue.ts'

export interface ProberOptions {
  readonly probe: Probe
  /** Monotonic, ms: what `tick` is given. */
  readonly now: () => number
  /** From 0 up to 1. */
  readonly random: () => number
  /** Probes of one backend under way at a time, and of all; beyond that one of each. */
  readonly atATime?: number
  readonly inAll?: number
  readonly onState: (key: string, state: 'up' | 'down', reason: string) => void
  /** Each result that counts; `reason` is null when it is good. */
  readonly onResult?: (key: string, ok: boolean, reason: string | null) => void
  /** A probe could not be sent for a shortage of our own, see http/shortage.ts: it is void. */
  readonly onShortage?: (code: string) => void
}

export interface Prober {
  /** A server that is not known yet is asked at once; of one that is, its state stays whatever changes. */
  follow(key: string, target: ProbeTarget, served?: boolean, backend?: string): void
  forget(key: string): void
  /** As pool-admission takes it; `unknown` for a key that is not followed. */
  state(key: string): 'unknown' | 'up' | 'down' | 'waiting'
  /** `stalled`: our own process was held up since the last tick, if that does not show in `now`. */
  tick(now: number, stalled?: boolean): void
  /** Calls off what is under way; resolves when that has ended. */
  stop(): Promise<void>
}

interface Followed {
  readonly key: string
  readonly backend: string
  target: ProbeTarget
  readonly riseAndFall: RiseAndFall
  /** It got requests before it was asked for the first time: it does not wait for a success. */
  readonly served: boolean
  /** Infinity: in line, or under way. */
  dueAt: number
  run: Run | null
}

interface Run {
  readonly followed: Followed
  readonly calling: AbortController
  readonly startedAt: number
  /** Of its time limit, without hold-ups. */
  spentMs: number
  isOverdue: boolean
  /** There was a hold-up while it was under way. */
  isDisturbed: boolean
  failure: string | null
}

const TICK_MS = 100
const LATE_MS = 250
/** So many new ones are asked at once; more are spread over a second, or their interval. */
const AT_ONCE = 16
const SPREAD_MS = 1_000
/** Until a void probe is repeated, at most. */
const SOON_MS = 500

export function createProber(options: ProberOptions): Prober {
  const { probe, now, random, atATime = 64, inAll = 1024 } = options
  const { onState, onResult, onShortage } = options
  const all = new Map<string, Followed>()
  let newcomers: Followed[] = []
  const turns = createFairQueue<Followed>(atATime, inAll)
  const underWay = new Set<Run>()
  const ending = new Set<Promise<void>>()
  let tickedAt: number | null = null
  let isStopped = false

  function tick(at: number, stalled = false): void {
    const elapsed = tickedAt === null ? 0 : at - tickedAt
    const isLate = stalled || elapsed > TICK_MS + LATE_MS || elapsed < 0
    tickedAt = at
    for (const run of underWay) {
      if (isLate) disturb(run, at)
      else judge(run, Math.min(elapsed, at - run.startedAt), at)
    }
    schedule(at)
    startNext(at)
  }

  function disturb(run: Run, at: number): void {
    run.isDisturbed = true
    if (run.failure !== null) repeat(run, at)
  }

  function judge(run: Run, elapsed: number, at: number): void {
    const { check } = run.followed.target
    if (run.failure !== null) {
      conclude(run, run.failure, at)
    } else if (run.isOverdue) {
      run.calling.abort()
      conclude(run, `${missing(run.followed.target)} within ${check.timeoutMs} ms`, at)
    } else {
      run.spentMs += elapsed
      run.isOverdue = run.spentMs >= check.timeoutMs
    }
  }

  function schedule(at: number): void {
    const isCrowd = newcomers.length > AT_ONCE
    for (const followed of newcomers) {
      const within = Math.min(followed.target.check.intervalMs, SPREAD_MS)
      followed.dueAt = isCrowd ? at + random() * within : at
    }
    newcomers = []
    for (const followed of all.values()) {
      if (followed.dueAt > at || probe.prepare?.(followed.target) === false) continue
      followed.dueAt = Infinity
      turns.add(followed.backend, followed)
    }
  }

  function startNext(at: number): void {
    turns.begin((followed) => {
      // It may have been forgotten meanwhile, or followed anew.
      if (all.get(followed.key) !== followed) return false
      start(followed, at)
      return true
    })
  }

  function start(followed: Followed, at: number): void {
    const calling = new AbortController()
    const run: Run = {
      followed,
      calling,
      startedAt: at,
      spentMs: 0,
      isOverdue: false,
      isDisturbed: false,
      failure: null,
    }
    followed.run = run
    underWay.add(run)
    const ended = probe(followed.target, calling.signal).then(
      (result) => take(run, result),
      (error: unknown) => take(run, { ok: false, reason: String(error) }),
    )
    ending.add(ended)
    void ended.finally(() => ending.delete(ended))
  }

  function take(run: Run, result: ProbeResult): void {
    // Its time was over, its server is gone, or its check is another one now.
    if (run.followed.run !== run || isStopped) return
    const at = now()
    if (result.ok) conclude(run, null, at)
    else if (result.shortage !== undefined) {
      onShortage?.(result.shortage)
      repeat(run, at)
    } else if (run.isDisturbed) repeat(run, at)
    // Whether we were held up is known with the next tick.
    else run.failure = result.reason
    startNext(at)
  }

  /** `reason`: why it failed, or null. */
  function conclude(run: Run, reason: string | null, at: number): void {
    const { followed, startedAt } = run
    end(run)
    record(followed, reason)
    const { check } = followed.target
    const interval = followed.riseAndFall.state === 'down' ? check.downIntervalMs : check.intervalMs
    const wait = interval * (1 + check.jitter * (2 * random() - 1))
    followed.dueAt = Math.max(at, startedAt + wait)
  }

  function record(followed: Followed, reason: string | null): void {
    const isOk = reason === null
    onResult?.(followed.key, isOk, reason)
    const state = followed.riseAndFall.record(isOk)
    if (state === null) return
    onState(followed.key, state, reason ?? `${asked(followed.target)} is answered as expected`)
  }

  function repeat(run: Run, at: number): void {
    end(run)
    run.followed.dueAt = at + random() * Math.min(run.followed.target.check.intervalMs, SOON_MS)
  }

  function end(run: Run): void {
    if (underWay.delete(run)) turns.ended(run.followed.backend)
    run.followed.run = null
  }

  function follow(key: string, target: ProbeTarget, served = false, backend = ''): void {
    const known = all.get(key)
    if (known === undefined) {
      const row = new RiseAndFall(target.check)
      const followed: Followed = {
        key,
        backend,
        target,
        riseAndFall: row,
        served,
        dueAt: Infinity,
        run: null,
      }
      all.set(key, followed)
      newcomers.push(followed)
      probe.prepare?.(target)
      return
    }
    const before = known.target
    known.target = target
    if (isSameQuestion(before, target)) return
    known.riseAndFall.update(target.check)
    if (known.run !== null) {
      known.run.calling.abort()
      end(known.run)
      newcomers.push(known)
    } else if (known.dueAt !== Infinity) newcomers.push(known)
  }

  function forget(key: string): void {
    const followed = all.get(key)
    if (followed === undefined) return
    all.delete(key)
    if (followed.run === null) return
    followed.run.calling.abort()
    end(followed.run)
  }

  return {
    follow,
    forget,
    state(key) {
      const followed = all.get(key)
      if (followed === undefined) return 'unknown'
      return followed.riseAndFall.isWaiting && !followed.served
        ? 'waiting'
        : followed.riseAndFall.state
    },
    tick,
    async stop() {
      isStopped = true
      for (const key of [...all.keys()]) forget(key)
      await Promise.all(ending)
    },
  }
}

function isSameQuestion(a: ProbeTarget, b: ProbeTarget): boolean {
  return a.server.url === b.server.url && isEqual(a.check, b.check) && isEqual(a.tls, b.tls)
}

function asked({ check }: ProbeTarget): string {
  return check.http === null ? 'a connection' : `${check.http.method} ${check.http.path}`
}

function missing(target: ProbeTarget): string {
  const { check } = target
  if (check.http === null) return `no connection to ${describePlace(target)}`
  return `no answer to ${check.http.method} ${check.http.path}`
}
