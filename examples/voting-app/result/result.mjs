/**
 * The result service: a page with the percentages, which follow each vote over socket.io. Settings are environment variables:
 *   DATABASE_URL  postgres://postgres:postgres@db/postgres
 *   PORT, HOST    where it listens (80, on every address)
 *   INSTANCE      the name that the page shows (the host name, in a container its id)
 *
 * A session of socket.io lives in the memory of one instance: behind a load balancer, clients must stay with it (sticky).
 */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { hostname } from 'node:os'
import pg from 'pg'
import { Server } from 'socket.io'

const {
  DATABASE_URL = 'postgres://postgres:postgres@db/postgres',
  PORT = '80',
  HOST,
  INSTANCE = hostname(),
} = process.env

const COUNT_EVERY_MS = 300
const COUNT = 'SELECT vote, count(*)::int AS count FROM votes GROUP BY vote'
const UNDEFINED_TABLE = '42P01'

const FILES = new Map([
  ['/', file('index.html', 'text/html')],
  ['/result.css', file('result.css', 'text/css')],
  ['/result.js', file('result.js', 'text/javascript')],
])
const HEADERS = {
  'cache-control': 'no-cache',
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'",
  'x-content-type-options': 'nosniff',
  'x-instance': INSTANCE,
}

const database = new pg.Pool({
  connectionString: DATABASE_URL,
  max: 1,
  connectionTimeoutMillis: 2000,
  query_timeout: 5000,
})
database.on('error', () => {}) // the next query reports it

const server = createServer(respond)
const io = new Server(server)
let scores = { a: 0, b: 0, isCurrent: false }
io.on('connection', (socket) => {
  socket.emit('instance', INSTANCE)
  socket.emit('scores', scores)
})

server.listen(Number(PORT), HOST)
await once(server, 'listening')
console.log(`result listens on ${HOST ?? '0.0.0.0'}:${server.address().port}`)

let counting = setTimeout(count, 0)
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, stop)

function respond(request, response) {
  const { pathname } = new URL(request.url, 'http://result')
  if (pathname === '/healthz') return response.end('ok\n')
  const found = FILES.get(pathname)
  if (found === undefined) return response.writeHead(404, HEADERS).end('There is no such page.\n')
  response.writeHead(200, { ...HEADERS, 'content-type': `${found.type}; charset=utf-8` })
  response.end(found.text)
}

function file(name, type) {
  return { type, text: readFileSync(new URL(`public/${name}`, import.meta.url), 'utf8') }
}

/** Asks the database whether anything has changed, and sends that to every page. */
async function count() {
  const latest = await countVotes()
  const hasChanged = Object.keys(latest).some((key) => latest[key] !== scores[key])
  scores = latest
  if (hasChanged) io.emit('scores', scores)
  if (counting !== null) counting = setTimeout(count, COUNT_EVERY_MS)
}

/** Without a database, the scores stay as they were last counted. */
async function countVotes() {
  try {
    const { rows } = await database.query(COUNT)
    const counts = Object.fromEntries(rows.map((row) => [row.vote, row.count]))
    return { a: counts.a ?? 0, b: counts.b ?? 0, isCurrent: true }
  } catch (error) {
    // The worker creates the table.
    if (error.code === UNDEFINED_TABLE) return { a: 0, b: 0, isCurrent: true }
    if (scores.isCurrent) console.error(`PostgreSQL: ${error.message || error.code}`)
    return { ...scores, isCurrent: false }
  }
}

/** Requests in flight finish; pages connect again, to another instance. */
async function stop() {
  clearTimeout(counting)
  counting = null
  await io.close()
  await database.end()
}
