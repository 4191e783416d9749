/**
 * The worker: takes each vote from Redis and stores it in PostgreSQL. Settings are environment variables:
 *   REDIS_URL     redis://redis:6379
 *   DATABASE_URL  postgres://postgres:postgres@db/postgres
 *   PORT, HOST    where /healthz is served (80, on every address)
 *
 * No vote is lost if this process, Redis or PostgreSQL dies at any moment. A vote moves from `votes` to `votes:processing` in
 * one step, and leaves that list only after PostgreSQL has committed it. What a worker left there is stored by the next one
 * that starts or has nothing else to do. So a vote may be stored twice; it counts once, because a voter has one row, and an
 * older vote never replaces a newer one.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { setTimeout as passed } from 'node:timers/promises'
import { Redis } from 'ioredis'
import pg from 'pg'

const {
  REDIS_URL = 'redis://redis:6379',
  DATABASE_URL = 'postgres://postgres:postgres@db/postgres',
  PORT = '80',
  HOST,
} = process.env

const WAITING = 'votes'
const PROCESSING = 'votes:processing'
const WAIT_SECONDS = 1
const RETRY_MS = 250
const STOPPED_WITHIN_MS = 1000
/** How often what another worker left is looked for while votes arrive without a pause. */
const LEFTOVERS_EVERY_MS = 5000
const CREATE = `CREATE TABLE IF NOT EXISTS votes
  (id text PRIMARY KEY, vote text NOT NULL, at bigint NOT NULL)`
const UPSERT = `INSERT INTO votes (id, vote, at) VALUES ($1, $2, $3)
  ON CONFLICT (id) DO UPDATE SET vote = excluded.vote, at = excluded.at WHERE votes.at <= excluded.at`

// A command waits for Redis as long as it takes. BLMOVE blocks its connection, so it has one of its own.
const lists = new Redis(REDIS_URL, {
  maxRetriesPerRequest: null,
  retryStrategy: () => RETRY_MS,
})
const source = lists.duplicate()
for (const client of [lists, source]) client.on('error', (error) => complain('Redis', error))

const database = new pg.Pool({
  connectionString: DATABASE_URL,
  max: 1,
  connectionTimeoutMillis: 2000,
  query_timeout: 5000,
})
database.on('error', (error) => complain('PostgreSQL', error))

const stopping = new AbortController()
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, stop)

const health = createServer((_request, response) => response.end('ok\n'))
health.listen(Number(PORT), HOST)
await once(health, 'listening')
console.log(`worker listens on ${HOST ?? '0.0.0.0'}:${health.address().port}`)

await work().catch((error) => {
  if (!stopping.signal.aborted) throw error
})
lists.disconnect()
health.close()
await database.end()

async function work() {
  if (!(await execute(CREATE, []))) return
  let lookedAt = -Infinity
  while (!stopping.signal.aborted) {
    const text = await source.blmove(WAITING, PROCESSING, 'LEFT', 'RIGHT', WAIT_SECONDS)
    if (text !== null) await store(text)
    if (text !== null && performance.now() - lookedAt < LEFTOVERS_EVERY_MS) continue
    for (const left of await lists.lrange(PROCESSING, 0, -1)) await store(left)
    lookedAt = performance.now()
  }
}

/** Returns when the vote is in PostgreSQL and no longer in Redis. */
async function store(text) {
  const vote = parse(text)
  if (vote === null) console.error(`dropped what is no vote: ${text.slice(0, 200)}`)
  else if (!(await execute(UPSERT, [vote.voter_id, vote.vote, vote.at]))) return
  await lists.lrem(PROCESSING, 1, text)
}

/** The vote, or null if the text is none. */
function parse(text) {
  try {
    const { voter_id, vote, at } = JSON.parse(text)
    const isVote = /^[\w-]{1,64}$/.test(voter_id) && /^[ab]$/.test(vote) && Number.isSafeInteger(at)
    return isVote ? { voter_id, vote, at } : null
  } catch {
    return null
  }
}

/** Until PostgreSQL has executed it. False: the worker stops first. */
async function execute(sql, values) {
  while (!stopping.signal.aborted) {
    try {
      await database.query(sql, values)
      return true
    } catch (error) {
      complain('PostgreSQL', error)
      await passed(RETRY_MS, undefined, { signal: stopping.signal }).catch(() => {})
    }
  }
  return false
}

/** The vote in hand is finished, unless Redis is away: then, as one that was just being taken, it waits in the list. */
function stop() {
  stopping.abort()
  source.disconnect()
  setTimeout(() => lists.disconnect(), STOPPED_WITHIN_MS).unref()
}

function complain(what, error) {
  console.error(`${what}: ${error.message || error.code}`)
}
