// needs: chromium, postgresql, python3, redis-server
// Issue: the voting app end to end in Chromium without an engine, with 0 failed requests and 0 lost votes over scale and kill.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { after, test, type TestContext } from 'node:test'
import { promisify } from 'node:util'
import { exchange, type ReceivedResponse } from '../support/client.ts'
import { value } from '../support/message.ts'
import { eventually } from '../support/until.ts'
import { startVotes } from '../support/votes.ts'
import { startVotingDemo } from '../support/voting-demo.ts'
import { launchChromium, openVotingPages } from '../support/voting-pages.ts'

const run = promisify(execFile)
const BREAKER_WITHIN_MS = 30_000
const STORED_WITHIN_MS = 60_000

const [demo, browser] = await Promise.all([
  startVotingDemo({ after }, '--vote', '1', '--result', '1'),
  launchChromium(),
])
after(() => browser.close())

/** On a connection of its own. */
function post(
  t: TestContext,
  body: string,
  ...lines: readonly string[]
): Promise<ReceivedResponse> {
  const head = ['POST / HTTP/1.1', 'Host: vote.localhost', `Content-Length: ${body.length}`]
  return exchange(t, demo.port, `${[...head, ...lines].join('\r\n')}\r\n\r\n${body}`)
}

/** The vote of each voter in PostgreSQL. */
async function stored(): Promise<Map<string, string>> {
  const query = 'SELECT id, vote FROM votes'
  const { stdout } = await run('psql', ['-XAt', '-F', ' ', '-c', query, demo.databaseUrl])
  const rows = stdout.split('\n').filter((line) => line !== '')
  return new Map(rows.map((row) => [row.split(' ')[0] ?? '', row.split(' ')[1] ?? '']))
}

test('a vote moves the bar of an open page over a WebSocket, and the next one of the voter replaces it', async (t) => {
  const pages = openVotingPages(t, browser, demo.port)
  const [result, cat, dog] = await Promise.all([
    pages.openResult(),
    pages.openVote(),
    pages.openVote(),
  ])
  await result.shows({ total: 'Waiting for the first vote' })

  await cat.vote('Cats')
  await dog.vote('Dogs')
  await result.shows({ cats: '50.0%', dogs: '50.0%', total: '2 votes in all' })
  await dog.vote('Cats')
  await result.shows({ cats: '100%', dogs: '0%', total: '2 votes in all' })

  assert.ok(result.frames.some((frame) => frame.includes('{"a":2,"b":0,"isCurrent":true}')))
  assert.equal(await cat.instance(), 'vote-1')
  assert.deepEqual(pages.problems, [])
})

test('scaling and a kill of each program under load fail no request and lose no vote', async (t) => {
  const pages = openVotingPages(t, browser, demo.port)
  const result = await pages.openResult()
  const before = await stored()
  const { load, cast, instances, forget } = startVotes(t, demo.port)
  await result.shows({})
  assert.equal(await result.instance(), 'result-1')

  await demo.type('vote 5', /^vote: vote-1 vote-2 vote-3 vote-4 vote-5$/m)
  await demo.type('result 2', /^result: result-1 result-2$/m)
  // A page that begins its session with two instances there.
  await (await pages.openResult()).shows({})
  forget()
  await load.more(60)
  const seen = new Set(instances)
  // An instance dies while it has votes in hand: they wait there for a Redis that does not respond.
  const redis = (await demo.pids()).get('redis') ?? assert.fail('Redis does not run')
  process.kill(redis, 'SIGSTOP')
  await eventually(async () => (await demo.inFlight('vote-1')) > 0, 'vote-1 has a vote in hand')
  await demo.type('kill vote', /^vote-1 has ended \(SIGKILL\) and starts again$/m)
  process.kill(redis, 'SIGCONT')
  for (const name of ['result', 'worker', 'redis', 'db']) {
    await load.more(30)
    await demo.type(`kill ${name}`, /^\S+ has ended \(SIGKILL\) and starts again$/m)
  }
  await load.more(30)
  await demo.type('vote 1', /^vote: vote-1$/m)
  await load.more(60)
  const { statuses, failures, refused } = await load.stop()

  assert.deepEqual(seen, new Set([...range('result', 2), ...range('vote', 5)]))
  assert.deepEqual({ failures, refused }, { failures: [], refused: 0 })
  assert.deepEqual(Object.keys(statuses), ['200', '303'])
  const expected = new Map([...before, ...cast])
  await eventually(
    async () => (await stored().catch(() => before)).size === expected.size,
    'all votes are stored',
    STORED_WITHIN_MS,
  )
  assert.deepEqual(await stored(), expected)
  await result.shows({ total: `${expected.size.toLocaleString('en')} votes in all` })
  // Its session goes on with the other instance, or with this one once it serves again.
  assert.match(await result.instance(), /^result-[12]$/)
  assert.deepEqual(pages.problems, [])
  t.diagnostic(`${cast.size} votes, statuses ${JSON.stringify(statuses)}`)
})

test('a vote without a voter is refused and not counted, and so is one for neither', async (t) => {
  const before = await stored()

  const anonymous = await post(t, 'vote=a')
  const neither = await post(t, 'vote=c', 'Cookie: voter_id=somebody')

  assert.equal(anonymous.status, 400)
  assert.match(String(anonymous.body), /this vote was not counted/)
  assert.match(value(anonymous, 'set-cookie') ?? '', /^voter_id=[0-9a-f]{32}; .*HttpOnly/)
  assert.equal(neither.status, 400)
  assert.deepEqual(await stored(), before)
})

test('without any instance of vote, the breaker responds with its page', async (t) => {
  await demo.type('vote 0', /^vote: none$/m)

  // The votes that were accepted in the last ten seconds count for the breaker, too.
  const response = await eventually(
    async () => {
      const latest = await post(t, 'vote=a', 'Cookie: voter_id=somebody')
      return String(latest.body).includes('Back in a moment') && latest
    },
    'the page of the breaker',
    BREAKER_WITHIN_MS,
  )

  assert.equal(response.status, 503)
  assert.equal(value(response, 'retry-after'), '5')
})

test('Ctrl-C ends everything and leaves nothing behind', async () => {
  const pids = [...(await demo.pids()).values()]

  const code = await demo.interrupt()

  assert.equal(code, 0)
  assert.ok(pids.length >= 5)
  assert.deepEqual(pids.filter(isRunning), [])
  assert.equal(existsSync(demo.folder), false)
})

function range(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${name}-${index + 1}`)
}

function isRunning(pid: number): boolean {
  return existsSync(`/proc/${pid}`)
}
