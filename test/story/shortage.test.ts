// The limit of open files, met by clients, connections to servers and health probes: it is said to be ours, and no server's fault.
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { test, type TestContext } from 'node:test'
import type { ServerReport } from '../../src/observe/reports/health-report.ts'
import { connectClient, type ReceivedResponse } from '../support/client.ts'
import { parseExposition } from '../support/exposition.ts'
import { value } from '../support/message.ts'
import { choosePort } from '../support/ports.ts'
import { startProgram, type Program } from '../support/program.ts'
import { startServing } from '../support/servers.ts'
import { createWatch, type Watch } from '../support/until.ts'

const FILES = 120
const CLIENTS = 150
/** The shortage has ended when it was not met for 10 s. */
const ENDED_WITHIN_MS = 25_000

interface Scene {
  readonly program: Program
  /** Servers answer what they hold. */
  release(): void
  holdAgain(): void
  held(): number
  readonly watch: Watch
}

async function startScene(t: TestContext, workers: number): Promise<Scene> {
  const watch = createWatch()
  let holds = true
  let waiting: (() => void)[] = []
  const serve = (name: string): ReturnType<typeof startServing> =>
    startServing(t, name, 0, (request, response) => {
      const respond = (): void => void response.end(name)
      if (!(request.url ?? '').endsWith('/hold') || !holds) return respond()
      waiting.push(respond)
      watch.changed()
    })
  const [one, two, three] = await Promise.all([serve('one'), serve('two'), serve('three')])
  const program = await startProgram(
    t,
    {
      workers,
      listeners: { web: { address: `127.0.0.1:${await choosePort()}` } },
      backends: {
        shop: {
          servers: { one: one.url, two: two.url },
          // Only a connection, which the kernel accepts: this process may be too busy to answer within an interval.
          health: { kind: 'tcp', interval: '50ms', fall: 2 },
          ejection: { failures: 2, share: '100%' },
          breaker: { condition: 'NetworkErrorRatio() > 0.1', requests: 5 },
        },
        other: { servers: { three: three.url } },
      },
      frontends: {
        shop: { route: 'PathPrefix("/")', backend: 'shop' },
        other: { route: 'PathPrefix("/other/")', backend: 'other' },
      },
    },
    { files: FILES },
  )
  // From the first probes on only connections take descriptors.
  for (let up = 0; up < 3;) {
    up = (await serversOf(program)).filter(({ state }) => state === 'up').length
  }
  return {
    program,
    release() {
      holds = false
      for (const respond of waiting) respond()
      waiting = []
    },
    holdAgain() {
      holds = true
    },
    held: () => waiting.length,
    watch,
  }
}

async function serversOf(program: Program): Promise<readonly ServerReport[]> {
  return JSON.parse((await program.ask('/api/servers')).text) as readonly ServerReport[]
}

/** On a connection of its own; null when that was closed without a response. */
async function get(port: number, path: string): Promise<ReceivedResponse | null> {
  const client = await connectClient(port).catch(() => null)
  if (client === null) return null
  try {
    return await client.ask(`GET ${path} HTTP/1.1\r\nHost: shop.test\r\n\r\n`)
  } catch {
    return null
  } finally {
    client.socket.destroy()
  }
}

function openFiles({ pid }: Program): number {
  return readdirSync(`/proc/${pid}/fd`).length
}

for (const workers of [1, 2]) {
  test(`too few file descriptors are blamed on no server, with ${workers} workers`, async (t) => {
    const { program, release, held, watch } = await startScene(t, workers)
    const responses: (ReceivedResponse | null)[] = []

    const asked = Array.from({ length: CLIENTS }, async () => {
      responses.push(await get(program.port, '/hold'))
      watch.changed()
    })
    await program.until(
      () => program.log().some(({ msg }) => msg.startsWith('EMFILE')),
      'the log has it',
    )
    await watch.until(() => held() + responses.length === CLIENTS, 'each is served, or turned away')
    const during = await serversOf(program)
    release()
    await Promise.all(asked)
    const after = await serversOf(program)
    const last = await get(program.port, '/')

    const statuses = responses.map((response) => response?.status ?? 0)
    assert.deepEqual(
      [...new Set(statuses)].filter((status) => ![0, 200, 503].includes(status)),
      [],
    )
    assert.ok(statuses.includes(200), 'requests are served all the same')
    for (const response of responses) {
      if (response?.status !== 503) continue
      assert.match(value(response, 'proxy-status') ?? '', /details="out of resources"/)
      assert.equal(value(response, 'retry-after'), '1')
    }
    for (const { state, ejections, tally } of [...during, ...after]) {
      assert.deepEqual([state, ejections, tally.probes.failure], ['up', 0, 0])
    }
    assert.equal(last?.status, 200)
    const series = parseExposition((await program.ask('/metrics')).text)
    assert.ok((series.get('sluice_shortages_total{code="EMFILE"}') ?? 0) > 0)
    // At the limit itself the connections are closed without Node: these cannot be counted.
    const notKept = series.get('sluice_connections_not_kept_total{listener="web"}') ?? 0
    assert.ok(notKept > 0 || statuses.includes(0))
    const lines = program.log().filter(({ msg }) => msg.includes('EMFILE'))
    assert.equal(lines.length, 1, JSON.stringify(lines))
    assert.match(lines[0]?.msg ?? '', /ulimit -n, LimitNOFILE=/)
    if (workers > 1) return
    await program.until(
      () => program.log().some(({ msg }) => msg.startsWith('the shortage EMFILE has ended')),
      'the log says that it is over',
      ENDED_WITHIN_MS,
    )
  })
}

test('idle connections to servers are given up before a request is refused', async (t) => {
  const { program, release, holdAgain, watch, held } = await startScene(t, 1)
  const spare = FILES - openFiles(program)
  const some = Math.floor(spare / 3)
  const first = Array.from({ length: some }, () => get(program.port, '/hold'))
  await watch.until(() => held() === some, 'as many connections to servers')
  release()
  await Promise.all(first)
  holdAgain()
  // All but a few of the descriptors that are left.
  const clients = await Promise.all(
    Array.from({ length: spare - some - 12 }, () => connectClient(program.port)),
  )
  t.after(() => {
    for (const { socket } of clients) socket.destroy()
  })

  const asked = clients
    .slice(0, some)
    .map((client) => client.ask('GET /other/hold HTTP/1.1\r\nHost: shop.test\r\n\r\n'))
  await watch.until(() => held() === some, 'all of them reach the other backend')
  release()
  const responses = await Promise.all(asked)

  assert.deepEqual([...new Set(responses.map(({ status }) => status))], [200])
  const series = parseExposition((await program.ask('/metrics')).text)
  assert.ok((series.get('sluice_shortages_total{code="EMFILE"}') ?? 0) > 0)
})

for (const workers of [0, 1]) {
  test(`more listeners than descriptors leave some of these for connections, with ${workers} workers`, async (t) => {
    const extra = Array.from({ length: 2 * FILES }, (_, at): [string, object] => [
      `x${at}`,
      { address: '127.0.0.1:0' },
    ])
    const web = { address: `127.0.0.1:${await choosePort()}` }
    const program = await startProgram(
      t,
      {
        workers,
        listeners: { web, ...Object.fromEntries(extra) },
        frontends: { all: { route: 'PathPrefix("/")', respond: { status: 204 } } },
      },
      { files: FILES },
    )

    const response = await get(program.port, '/')
    const ready = await program.ask('/readyz')

    assert.equal(response?.status, 204)
    assert.equal(ready.status, 200)
    assert.match(ready.text, /the last quarter of the open files is kept for connections; raise/)
    assert.doesNotMatch(ready.text, /"id":"web"/)
  })
}
