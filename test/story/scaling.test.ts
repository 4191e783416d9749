// Issue 15: replicas follow the load. Processes of this machine, started and stopped by a running program.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { get as httpGet } from 'node:http'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { adjacentPorts } from '../support/ports.ts'
import { makeFolder, type Program, startProgram } from '../support/program.ts'
import { eventually } from '../support/until.ts'

/** A server that holds each request for a time. */
const REPLICA = `
import { createServer } from 'node:http'
const [, , port, ms] = process.argv
createServer((request, response) => {
  const answer = () => response.end('from ' + port)
  if (request.url === '/healthz') answer()
  else setTimeout(answer, Number(ms))
}).listen(Number(port), '127.0.0.1')
`
const HOLD_MS = 200
const MAX = 3

interface Report {
  readonly acting: boolean
  readonly backends: readonly {
    readonly observed: number | null
    readonly ready: number
    readonly desired: number | null
    readonly decisions: readonly { readonly direction: string; readonly reason: string }[]
  }[]
}

test('replicas follow the load of real requests, up and down, and every decision is told', async (t) => {
  const { program, report } = await startScaled(t, {})
  await eventually(async () => (await report())?.ready === 1, 'one replica serves')

  const load = startLoad(t, program, 20)
  await eventually(async () => (await report())?.ready === MAX, 'all replicas serve')
  await load.stop()
  await eventually(async () => (await report())?.observed === 1, 'one replica is left')

  assert.deepEqual(load.statuses(), [200])
  const { decisions = [] } = (await report()) ?? {}
  const directions = decisions.toReversed().map(({ direction }) => direction)
  assert.deepEqual([...new Set(directions)], ['up', 'down'])
  const up = program.log().find(({ msg }) => msg.startsWith('backend "vote" scales up from 1 to '))
  assert.ok(up !== undefined)
  assert.equal((up['inputs'] as { ready: number }).ready, 1)
  const { text } = await program.ask('/metrics')
  assert.match(text, /^sluice_scale_replicas_observed\{backend="vote"\} 1$/m)
  assert.match(
    text,
    /^sluice_scale_decisions_total\{backend="vote",direction="up",reason="concurrency"\} /m,
  )
  assert.match(text, /^sluice_scale_acting 1$/m)
})

async function startScaled(
  t: TestContext,
  more: object,
): Promise<{ program: Program; report: () => Promise<Report['backends'][number] | undefined> }> {
  const folder = makeFolder(t)
  const file = join(folder, 'replica.mjs')
  writeFileSync(file, REPLICA)
  const ports = await adjacentPorts(MAX)
  const command = [process.execPath, file, '{port}', String(HOLD_MS)]
  const program = await startProgram(
    t,
    {
      workers: 2,
      admin: { address: '127.0.0.1:0' },
      data: join(folder, 'data'),
      listeners: { web: { address: '127.0.0.1:0' } },
      backends: {
        vote: {
          health: { path: '/healthz', interval: '200ms', timeout: '200ms', rise: 1, fall: 1 },
          panic: 0,
          scale: {
            actuator: { process: { command, port: ports[0], stop: '2s' } },
            max: MAX,
            concurrency: { target: 5, utilisation: '100%' },
            ...{ stableWindow: '4s', panicWindow: '2s' },
            ...more,
          },
          servers: Object.fromEntries(ports.map((port) => [port, `http://127.0.0.1:${port}`])),
        },
      },
      frontends: { all: { route: 'PathPrefix("/")', backend: 'vote' } },
    },
    { folder },
  )
  return {
    program,
    async report() {
      const { text } = await program.ask('/api/scale')
      return (JSON.parse(text) as Report).backends[0]
    },
  }
}

interface RunningLoad {
  /** Resolves when the requests under way have ended. */
  stop(): Promise<void>
  statuses(): readonly number[]
}

/** So many clients, each of which sends its next request when it has a response. */
function startLoad(t: TestContext, { port }: Program, clients: number): RunningLoad {
  const statuses = new Set<number>()
  let isStopped = false
  const all = Promise.all(
    Array.from({ length: clients }, async () => {
      while (!isStopped) statuses.add(await statusOf(port))
    }),
  )
  t.after(() => (isStopped = true))
  return {
    async stop() {
      isStopped = true
      await all
    },
    statuses: () => [...statuses],
  }
}

function statusOf(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = httpGet({ host: '127.0.0.1', port, path: '/' }, (response) => {
      response.resume()
      response.once('end', () => resolve(response.statusCode ?? 0))
      response.once('error', reject)
    })
    request.once('error', reject)
  })
}
