/** A process that asks a shared rate limit once and then has nothing left to do. Its arguments: the url of a Redis. */
import { ratelimit } from '../../src/middleware/ratelimit.ts'
import { redisClient } from '../../src/middleware/ratelimit/redis-links.ts'
import { ask, createMiddlewareContext, openThreads, requestOf } from './middleware-context.ts'
import { parseOptions } from './options.ts'

const [url] = process.argv.slice(2)
const parsed = parseOptions(ratelimit, { requests: 1, redis: { url, timeout: '5s' } })
if (!parsed.ok) throw new Error(parsed.message)
const [compileContext] = openThreads(1, () => performance.now()).compileContexts
if (compileContext === undefined) throw new Error('there is no thread')
await redisClient.load()
const context = createMiddlewareContext(() => process.stdout.write('decided'))
// Something else keeps the process alive until it is decided, as a client's connection does.
const alive = setInterval(() => {
  if (context.decided !== undefined) clearInterval(alive)
}, 1)
ask(ratelimit.compile(parsed.value, compileContext), requestOf(), context)
