/** A process that asks a shared rate limit once and then has nothing left to do. Its arguments: the url of a Redis. */
import { ratelimit } from '../../src/middleware/ratelimit.ts'
import { redisClient } from '../../src/middleware/ratelimit/redis-links.ts'
import { ask, createPassage, openThreads, requestOf } from './passage.ts'

const [url] = process.argv.slice(2)
const parsed = ratelimit.parse({ requests: 1, redis: { url, timeout: '5s' } })
if (!parsed.ok) throw new Error(parsed.message)
const [surroundings] = openThreads(1, () => performance.now()).surroundings
if (surroundings === undefined) throw new Error('a thread has its surroundings')
await redisClient.load()
const passage = createPassage(() => process.stdout.write('decided'))
// Something else keeps the process alive until it is decided, as a client's connection does.
const alive = setInterval(() => {
  if (passage.decided !== undefined) clearInterval(alive)
}, 1)
ask(ratelimit.compile(parsed.value, surroundings), requestOf(), passage)
