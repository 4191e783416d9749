/** A process of its own: what 1,000,000 distinct keys add to the memory of a rate limit, in bytes on stdout. */
import { ratelimit } from '../../src/middleware/ratelimit.ts'
import { createMiddlewareContext, openThreads, requestOf } from './middleware-context.ts'
import { parseOptions } from './options.ts'

const KEYS = 1_000_000
const KNOWN = 1_000
const parsed = parseOptions(ratelimit, {
  requests: 10,
  key: 'request.header.X-Key',
  headers: false,
})
if (!parsed.ok) throw new Error(parsed.message)
const [compileContext] = openThreads(1, () => performance.now()).compileContexts
if (compileContext === undefined) throw new Error('there is no thread')
const { onRequest } = ratelimit.compile(parsed.value, compileContext)
const exchange = requestOf()
const context = createMiddlewareContext()

let passed = 0
function send(at: number): void {
  exchange.head.fields = `X-Key: key-${at}-of-a-stranger\r\n`
  if (onRequest?.(exchange, context) === null) passed++
}

// Requests of known keys first: what any requests leave to the garbage collector is no part of it.
for (let at = 0; at < 300_000; at++) send(at % KNOWN)
passed = 0
const before = process.memoryUsage.rss()
for (let at = KNOWN; at < KNOWN + KEYS; at++) send(at)
const grown = process.memoryUsage.rss() - before
process.stdout.write(JSON.stringify({ grown, passed }))
