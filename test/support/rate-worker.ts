/**
 * A serving thread's part of a rate limit, without a gateway: a worker that asks it as fast as it can until the clock that all
 * workers share has come to its end. Every request moves the clock on; each says how many it let through, by second.
 */
import { workerData, parentPort } from 'node:worker_threads'
import { ratelimit } from '../../src/middleware/ratelimit.ts'
import { createMiddlewareContext, requestOf } from './middleware-context.ts'
import { parseOptions } from './options.ts'

export interface RateWork {
  readonly options: object
  readonly table: SharedArrayBuffer
  /** One BigInt64: microseconds. */
  readonly clock: SharedArrayBuffer
  readonly stepUs: number
  readonly endUs: number
}

const { options, table, clock, stepUs, endUs } = workerData as RateWork
const parsed = parseOptions(ratelimit, options)
if (!parsed.ok) throw new Error(parsed.message)
const time = new BigInt64Array(clock)
let now = 0
const { onRequest } = ratelimit.compile(parsed.value, {
  frontend: 'shop',
  table: new BigInt64Array(table),
  seed: 4711,
  onNotice: () => {},
  now: () => now / 1000,
  get slot(): never {
    throw new Error('a rate limit has no slot')
  },
})
const passed = Array.from({ length: Math.ceil(endUs / 1e6) }, () => 0)
const exchange = requestOf()
const context = createMiddlewareContext()
for (;;) {
  now = Number(Atomics.add(time, 0, BigInt(stepUs)))
  if (now >= endUs) break
  if (onRequest?.(exchange, context) === null) {
    const second = Math.floor(now / 1e6)
    passed[second] = (passed[second] ?? 0) + 1
  }
}
parentPort?.postMessage(passed)
