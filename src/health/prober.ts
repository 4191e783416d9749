/**
 * Probes any number of servers, each at its own interval, a limited number of each backend at a time. It has no timers: `tick`
 * is called every 100 ms with the time.
 *
 *   waiting --due--> queued --below the limits--> running --success--> recorded immediately
 *                                                        \--failure, timeout--> recorded with the next tick, or void
 *
 * A stall of this process is never evidence against a server. If a tick is late (stalls.ts), failures since the previous
 * tick are void, and so are later failures of the probes that were running. The time of a stall does not count for timeouts.
 * A timeout is recorded one tick after it is noticed, so that the event loop first reads a response that has arrived.
 */
import { RiseAndFall } from '../policy/health/rise-and-fall.ts'
import { isEqual } from '../model/equal.ts'
import { describePlace, type Probe, type ProbeResult, type ProbeTarget } from './probe.ts'
import { GRPC_HEALTH_PATH } from './grpc-probe.ts'
import { createFairQueue } from './fair-queue.ts'
import { isLateTick } from './stalls.ts'

export interface ProberOptions {
  readonly probe: Probe
  /** Monotonic, ms: what `tick` is given. */
  readonly now: () => number
  /** From 0 up to 1. */
  readonly random: () => number
  /** Concurrent probes of one backend, and of all; beyond those still one of each backend. */
  readonly maxOfBackend?: number
  readonly maxOfAll?: number
  readonly onState: (key: string, state: 'up' | 'down', reason: string) => void
  /** Each result that counts; `reason` is null for a success. */
  readonly onResult?: (key: string, ok: boolean, reason: string | null) => void
  /** A probe could not be sent because of a shortage of this process, see http/connection/shortage.ts: it is void. */
  readonly onShortage?: (code: string) => void
}

export interface Prober {
  /** A new server is probed immediately. A known one keeps its state through every change. `served`: it got requests before. */
  follow(key: string, target: ProbeTarget, served?: boolean, backend?: string): void
  forget(key: string): void
  /**
   * Something has started, or is about to: until `until`, or its first success, it is probed now and every 200 ms. A server without
   * a state stays so meanwhile: what starts does not respond yet.
   */
  hurry(key: string, until: number): void
  /** `waiting`: its first success is outstanding, and the check waits for it. `unknown` also for a key that is not followed. */
  state(key: string): 'unknown' | 'up' | 'down' | 'waiting'
  /** `stalled`: this process stalled since the last tick, if `now` does not show it. */
  tick(now: number, stalled?: boolean): void
  /** Aborts the running probes; resolves when they have ended. */
  stop(): Promise<void>
}

interface Followed {
  readonly key: string
  readonly backend: string
  target: ProbeTarget
  readonly riseAndFall: RiseAndFall
  /** It got requests before its first probe: it does not wait for a success. */
  readonly served: boolean
  /** Infinity: queued or running. */
  dueAt: number
  run: Run | null
  hurriedUntil: number
}

interface Run {
  readonly followed: Followed
  readonly calling: AbortController
  readonly startedAt: number
  /** Time used, without stalls. */
  spentMs: number
  isOverdue: boolean
  /** There was a stall while it was running. */
  isDisturbed: boolean
  failure: string | null
}

/** So many new servers are probed at once; more are spread over a second, or over their interval if that is shorter. */
const AT_ONCE = 16
const SPREAD_MS = 1_000
/** A void probe is repeated within this time. */
const REPEAT_WITHIN_MS = 500
/** Between two probes of a server that is starting. */
const HURRIED_MS = 200

export function createProber(options: ProberOptions): Prober {
  const { probe, now, random, maxOfBackend = 64, maxOfAll = 1024 } = options
  const { onState, onResult, onShortage } = options
  const all = new Map<string, Followed>()
  let newcomers: Followed[] = []
  const queue = createFairQueue<Followed>(maxOfBackend, maxOfAll)
  const running = new Set<Run>()
  const ending = new Set<Promise<void>>()
  let tickedAt: number | null = null
  let isStopped = false

  function tick(at: number, stalled = false): void {
    const elapsed = tickedAt === null ? 0 : at - tickedAt
    const isLate = stalled || isLateTick(elapsed)
    tickedAt = at
    for (const run of running) {
      if (isLate) disturb(run, at)
      else advance(run, Math.min(elapsed, at - run.startedAt), at)
    }
    schedule(at)
    startNext(at)
  }

  function disturb(run: Run, at: number): void {
    run.isDisturbed = true
    if (run.failure !== null) repeat(run, at)
  }

  function advance(run: Run, elapsed: number, at: number): void {
    const { check } = run.followed.target
    if (run.failure !== null) {
      conclude(run, run.failure, at)
    } else if (run.isOverdue) {
      run.calling.abort()
      conclude(run, `${describeMissing(run.followed.target)} within ${check.timeoutMs} ms`, at)
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
      queue.add(followed.backend, followed)
    }
  }

  function startNext(at: number): void {
    queue.begin((followed) => {
      // It may have been forgotten meanwhile, or followed again.
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
    running.add(run)
    const ended = probe(followed.target, calling.signal).then(
      (result) => take(run, result),
      (error: unknown) => take(run, { ok: false, reason: String(error) }),
    )
    ending.add(ended)
    void ended.finally(() => ending.delete(ended))
  }

  function take(run: Run, result: ProbeResult): void {
    // It has timed out, its server is gone, or its check has changed.
    if (run.followed.run !== run || isStopped) return
    const at = now()
    if (result.ok) conclude(run, null, at)
    else if (result.shortage !== undefined) {
      onShortage?.(result.shortage)
      repeat(run, at)
    } else if (run.isDisturbed) repeat(run, at)
    // Whether this process stalled is known at the next tick.
    else run.failure = result.reason
    startNext(at)
  }

  /** `reason`: why it failed, or null. */
  function conclude(run: Run, reason: string | null, at: number): void {
    const { followed, startedAt } = run
    end(run)
    record(followed, reason, at)
    const { check } = followed.target
    const { state } = followed.riseAndFall
    const interval = state === 'down' ? check.downIntervalMs : check.intervalMs
    const wait = isHurried(followed, at) ? Math.min(HURRIED_MS, interval) : interval
    followed.dueAt = Math.max(at, startedAt + wait * (1 + check.jitter * (2 * random() - 1)))
  }

  function isHurried({ riseAndFall, hurriedUntil }: Followed, at: number): boolean {
    return at < hurriedUntil && riseAndFall.state !== 'up'
  }

  function record(followed: Followed, reason: string | null, at: number): void {
    const isOk = reason === null
    onResult?.(followed.key, isOk, reason)
    if (!isOk && followed.riseAndFall.state === 'unknown' && isHurried(followed, at)) return
    const state = followed.riseAndFall.record(isOk)
    if (state === null) return
    onState(
      followed.key,
      state,
      reason ?? `${describeCheck(followed.target)} gets the expected response`,
    )
  }

  function repeat(run: Run, at: number): void {
    end(run)
    run.followed.dueAt =
      at + random() * Math.min(run.followed.target.check.intervalMs, REPEAT_WITHIN_MS)
  }

  function end(run: Run): void {
    if (running.delete(run)) queue.ended(run.followed.backend)
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
        hurriedUntil: -Infinity,
      }
      all.set(key, followed)
      newcomers.push(followed)
      probe.prepare?.(target)
      return
    }
    const before = known.target
    known.target = target
    if (isSameCheck(before, target)) return
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
    hurry(key, until) {
      const followed = all.get(key)
      if (followed === undefined) return
      followed.hurriedUntil = Math.max(followed.hurriedUntil, until)
      if (followed.dueAt !== Infinity && isHurried(followed, now())) followed.dueAt = -Infinity
    },
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

function isSameCheck(a: ProbeTarget, b: ProbeTarget): boolean {
  return (
    a.server.url === b.server.url &&
    a.server.hostname === b.server.hostname &&
    isEqual(a.check, b.check) &&
    isEqual(a.tls, b.tls) &&
    a.proxyProtocol === b.proxyProtocol &&
    a.wire === b.wire
  )
}

function describeCheck({ check }: ProbeTarget): string {
  if (check.grpc !== null) return GRPC_HEALTH_PATH
  return check.http === null ? 'a connection' : `${check.http.method} ${check.http.path}`
}

function describeMissing(target: ProbeTarget): string {
  const { check } = target
  if (check.grpc !== null) return `no response to ${GRPC_HEALTH_PATH}`
  if (check.http === null) return `no connection to ${describePlace(target)}`
  return `no response to ${check.http.method} ${check.http.path}`
}
