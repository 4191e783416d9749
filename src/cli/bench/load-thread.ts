/**
 * The load generator, in a thread of its own: autocannon, with what it lacks. It records latencies in whole milliseconds, so they
 * are recorded here. It sends the requests of a rate in one burst each second, so they are paced here: one request on
 * each connection at each of its times. If the response before is not there at that time, the request waits, and the wait
 * belongs to its latency, as a client would see it (no coordinated omission).
 */
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'
import { parentPort } from 'node:worker_threads'
import autocannon from 'autocannon'
import {
  serverNameOf,
  type LoadPlan,
  type LoadReply,
  type LoadTarget,
  type LoadWindow,
} from './load-plan.ts'
import { messageOf } from '../../model/error-message.ts'

/** What is used of a client of autocannon. `_doRequest` is called when its connection is free: it sends the next request. */
interface Client {
  on(event: 'request' | 'done', listener: () => void): void
  on(event: 'connError', listener: (error: Error & { readonly code?: string }) => void): void
  on(event: 'headers', listener: (head: { readonly shouldKeepAlive?: boolean }) => void): void
  on(event: 'body', listener: (bytes: Buffer) => void): void
  on(event: 'response', listener: (status: number, bytes: number, ms: number) => void): void
  destroy(): void
  readonly pipelinedRequests: { size(): number; clear(): void }
  readonly parser: { readonly type: unknown; reinitialize(type: unknown): void }
  _doRequest(): void
}

/** A refused connection is tried again immediately. */
const MOST_ERRORS = 500
const RESPONSE_LIMIT = 64 * 1024 * 1024
const LONGEST_US = 3_600_000_000
const PATIENCE_SECONDS = 10
/** A request that has waited so long at the end of its window is not just one of those in flight. */
const LONG_MS = 1_000

interface Counts {
  readonly statuses: Record<string, number>
  readonly errors: Record<string, number>
  readonly latencies: RecordableHistogram
  responses: number
  unanswered: number
  waiting: number
}

parentPort?.on('message', (plan: LoadPlan) => {
  run(plan).then(
    (window) => reply({ kind: 'window', window }),
    (error: unknown) => {
      reply({ kind: 'failed', reason: messageOf(error) })
    },
  )
})

function reply(message: LoadReply): void {
  parentPort?.postMessage(message)
}

async function run(plan: LoadPlan): Promise<LoadWindow> {
  const counts: Counts = {
    ...{ statuses: {}, errors: {}, responses: 0, unanswered: 0, waiting: 0 },
    latencies: createHistogram({ lowest: 1, highest: LONGEST_US, figures: 3 }),
  }
  const from = performance.now()
  const shares = plan.targets
    .map((target, i) => ({ target, connections: shareOf(plan, i), first: i }))
    .filter(({ connections }) => connections > 0)
  await Promise.all(shares.map((share) => load(plan, share, from, counts)))
  const seconds = Math.min(performance.now() - from, plan.ms) / 1000
  return { ...counts, seconds }
}

function shareOf({ connections, targets }: LoadPlan, index: number): number {
  return Math.floor((connections - index - 1) / targets.length) + 1
}

interface Share {
  readonly target: LoadTarget
  readonly connections: number
  /** Its connections take turns with those of the other targets. */
  readonly first: number
}

async function load(plan: LoadPlan, share: Share, from: number, counts: Counts): Promise<void> {
  const { target, connections } = share
  let next = share.first
  await autocannon({
    url: target.url,
    method: plan.method as NonNullable<autocannon.Options['method']>,
    headers: { ...plan.headers, Host: target.host },
    ...(plan.body === null ? {} : { body: Buffer.from(plan.body) }),
    servername: serverNameOf(target.host),
    connections,
    duration: plan.ms / 1000,
    timeout: PATIENCE_SECONDS,
    bailout: MOST_ERRORS,
    // How often it looks whether the time is over.
    sampleInt: 20,
    skipAggregateResult: true,
    setupClient: (client) => {
      watch(client as unknown as Client, plan, next, from, counts)
      next += plan.targets.length
    },
  })
}

/** `turn`: of the connection among all of them. */
function watch(client: Client, plan: LoadPlan, turn: number, from: number, counts: Counts): void {
  const endsAt = from + plan.ms
  /** Since when a request waits for its response; null: none does. */
  let waitingSince: number | null = null
  /** How late the last request was sent because the connection was not free. */
  let lateMs = 0
  let received = 0
  /** The connection ends with this response: the next request is sent on the next connection. */
  let isLast = false

  client.on('request', () => {
    if (waitingSince !== null) counts.unanswered++
    waitingSince = performance.now()
    received = 0
  })
  client.on('headers', ({ shouldKeepAlive }) => (isLast = shouldKeepAlive === false))
  client.on('response', (status, _bytes, ms) => {
    waitingSince = null
    if (performance.now() > endsAt) return
    counts.responses++
    counts.statuses[status] = (counts.statuses[status] ?? 0) + 1
    counts.latencies.record(Math.min(LONGEST_US, Math.max(1, Math.round((ms + lateMs) * 1000))))
  })
  client.on('connError', ({ code, message }) => {
    waitingSince = null
    const what = code ?? message.slice(0, 80)
    counts.errors[what] = (counts.errors[what] ?? 0) + 1
  })
  // It keeps the whole response.
  client.on('body', (bytes) => {
    received += bytes.length
    if (received <= RESPONSE_LIMIT) return
    const what = 'a response of more than 64 MiB'
    counts.errors[what] = (counts.errors[what] ?? 0) + 1
    client.destroy()
  })
  client.on('done', () => {
    const now = performance.now()
    if (waitingSince !== null && now - waitingSince > LONG_MS) counts.waiting++
  })

  const sendNow = client._doRequest.bind(client)
  const pace = plan.rate === null ? null : createPace(plan.connections, plan.rate, turn, from)
  let timer: NodeJS.Timeout | null = null
  const send = (late: number): void => {
    timer = null
    lateMs = late
    sendNow()
  }
  client._doRequest = () => {
    if (isLast) {
      isLast = false
      return
    }
    // A connection that ended within a response left its half to the next one.
    if (client.pipelinedRequests.size() > 0) {
      client.pipelinedRequests.clear()
      client.parser.reinitialize(client.parser.type)
    }
    if (pace === null) sendNow()
    if (pace === null || timer !== null) return
    const waitMs = pace() - performance.now()
    // The lateness of a timer is the load generator's, and not counted.
    if (waitMs > 0) timer = setTimeout(send, Math.ceil(waitMs), 0)
    else send(-waitMs)
  }
  client.on('done', () => {
    if (timer !== null) clearTimeout(timer)
  })
}

/** The times of a connection's requests, one after the other. Connections take turns. */
function createPace(connections: number, rate: number, turn: number, from: number): () => number {
  const stepMs = (connections / rate) * 1000
  let dueAt = from + (turn * 1000) / rate - stepMs
  return () => (dueAt += stepMs)
}
