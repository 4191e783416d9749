/**
 * Asks Prometheus for the number of replicas: an instant query at an interval, whose result divided by `target` is what is asked
 * for, for three intervals. Without a result nothing is asked for: what was asked before ends by itself. Only the instance that
 * acts asks.
 */
import { denyHost } from '../model/denied-address.ts'
import { isEqual } from '../model/equal.ts'
import { messageOf } from '../model/error-message.ts'
import { isMap } from '../model/parsed.ts'
import type { PrometheusInput, ScaleSpec } from '../model/scale.ts'
import type { Log } from '../observe/log.ts'
import type { PrometheusReport } from '../observe/reports/scale-report.ts'
import type { HttpClient } from '../providers/http-client/http-client.ts'
import type { RequestScale } from './scale-request.ts'

export interface PrometheusInputsOptions {
  readonly backends: () => readonly string[]
  readonly specOf: (backend: string) => ScaleSpec | null
  readonly request: RequestScale
  readonly isActing: () => boolean
  /** `origin`: without a path. */
  readonly open: (origin: string, headers: Readonly<Record<string, string>>) => Promise<HttpClient>
  /** ms, monotonic. */
  readonly now: () => number
  readonly log: Log
}

export interface PrometheusInputs {
  start(): void
  /** What `start` does twice a second; resolves when the queries that it began have ended. */
  tick(): Promise<void>
  /** Null: the backend has no query. */
  report(backend: string): PrometheusReport | null
  stop(): Promise<void>
}

interface Watched {
  input: PrometheusInput
  dueAt: number
  client: Promise<HttpClient> | null
  asking: Promise<void> | null
  value: number | null
  problem: string | null
  failures: number
}

const TICK_MS = 500
const TIMEOUT_MS = 5_000
const MAX_BYTES = 256 * 1024
/** Of a result, in intervals. */
const KEPT = 3
const LONGEST_QUERY = 80

export function createPrometheusInputs(options: PrometheusInputsOptions): PrometheusInputs {
  const { backends, specOf, request, isActing, open, now, log } = options
  const watched = new Map<string, Watched>()
  const stopping = new AbortController()
  let timer: NodeJS.Timeout | null = null

  function follow(): void {
    const found = new Set<string>()
    for (const backend of backends()) {
      const input = specOf(backend)?.inputs.prometheus ?? null
      if (input === null) continue
      found.add(backend)
      const known = watched.get(backend)
      if (known !== undefined && isEqual(known.input, input)) continue
      if (known !== undefined) forget(backend, known)
      watched.set(backend, {
        ...{ input, dueAt: now(), client: null, asking: null },
        ...{ value: null, problem: null, failures: known?.failures ?? 0 },
      })
    }
    for (const [backend, one] of watched) if (!found.has(backend)) forget(backend, one)
  }

  function forget(backend: string, { client }: Watched): void {
    watched.delete(backend)
    client?.then((opened) => opened.close()).catch(() => {})
  }

  async function tick(): Promise<void> {
    follow()
    if (!isActing()) {
      // The instance that acts has results and problems of its own.
      for (const one of watched.values()) one.value = one.problem = null
      return
    }
    const at = now()
    const begun: Promise<void>[] = []
    for (const [backend, one] of watched) {
      if (one.asking !== null || one.dueAt > at) continue
      one.dueAt = at + one.input.intervalMs
      one.asking = ask(backend, one).finally(() => (one.asking = null))
      begun.push(one.asking)
    }
    await Promise.all(begun)
  }

  /** Never rejects. */
  async function ask(backend: string, one: Watched): Promise<void> {
    const { input } = one
    let problem: string | null = null
    let value: number | null = null
    const isOver = (): boolean => watched.get(backend) !== one || stopping.signal.aborted
    try {
      value = await query(one)
      if (isOver()) return
      if (value === null) problem = 'the query has no result'
      else {
        const answer = request({
          backend,
          to: { replicas: toReplicas(value, input.target) },
          input: 'prometheus',
          reason: `${shorten(input.query)} is ${value}`,
          forMs: KEPT * input.intervalMs,
        })
        if (!answer.taken) problem = answer.refused
      }
    } catch (error) {
      if (isOver()) return
      problem = messageOf(error)
    }
    one.value = value
    if (problem !== null) one.failures++
    if (problem !== one.problem) {
      const about = `Prometheus says nothing about backend "${backend}"`
      if (problem !== null) log.warn({ backend }, `${about}: ${problem}`)
      else
        log.info({ backend }, `Prometheus says again how many replicas backend "${backend}" needs`)
    }
    one.problem = problem
  }

  /** Null: there is no result. Rejects with a message for people. */
  async function query(one: Watched): Promise<number | null> {
    const { url, headers, query: text } = one.input
    const { origin, hostname, pathname } = new URL(url)
    const denied = denyHost(hostname.replace(/^\[|\]$/g, ''))
    if (denied !== null) throw new Error(`${hostname} is not asked: it ${denied}`)
    const client = await (one.client ??= open(origin, headers)).catch((error: unknown) => {
      one.client = null
      throw error
    })
    const search = new URLSearchParams({ query: text, timeout: `${TIMEOUT_MS}ms` })
    const path = `${pathname.replace(/\/$/, '')}/api/v1/query?${search}`
    const { body } = await client.json(path, {
      timeoutMs: TIMEOUT_MS,
      maxBytes: MAX_BYTES,
      signal: stopping.signal,
    })
    return readResult(body)
  }

  return {
    start() {
      timer ??= setInterval(() => void tick(), TICK_MS).unref()
    },
    tick,
    report(backend) {
      const one = watched.get(backend)
      if (one === undefined) return null
      const { value, problem, failures } = one
      return { value, problem, failures }
    },
    async stop() {
      if (timer !== null) clearInterval(timer)
      stopping.abort()
      await Promise.all([...watched.values()].flatMap(({ asking }) => asking ?? []))
      for (const [backend, one] of watched) forget(backend, one)
    },
  }
}

/** Throws with a message for people. */
function readResult(body: unknown): number | null {
  const data = isMap(body) && body['status'] === 'success' ? body['data'] : null
  if (!isMap(data)) throw new Error('it responds with something else than a result')
  const { resultType, result } = data
  if (resultType === 'scalar') return readSample(result)
  if (resultType !== 'vector' || !Array.isArray(result)) {
    throw new Error(`the query has a result of type ${String(resultType)}; it must be one number`)
  }
  const [first, ...more] = result as readonly unknown[]
  if (first === undefined) return null
  if (more.length > 0) {
    throw new Error(`the query has ${result.length} results; use sum() or the like to make it one`)
  }
  return readSample(isMap(first) ? first['value'] : null)
}

/** `[time, "1.5"]`. */
function readSample(sample: unknown): number {
  const written = Array.isArray(sample) ? (sample as readonly unknown[])[1] : null
  const value = typeof written === 'string' && written !== '' ? Number(written) : NaN
  if (Number.isFinite(value)) return value
  throw new Error(`the query has the result ${String(written).slice(0, 40)}, which is no number`)
}

/** What rounding has added is no further replica. */
function toReplicas(value: number, target: number): number {
  const replicas = Math.ceil(value / target - 1e-9)
  return Math.min(Number.MAX_SAFE_INTEGER, Math.max(0, replicas))
}

function shorten(query: string): string {
  const line = query.replace(/\s+/g, ' ')
  return line.length > LONGEST_QUERY ? `${line.slice(0, LONGEST_QUERY)}...` : line
}
