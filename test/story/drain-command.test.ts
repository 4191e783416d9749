// Issue 14: "`sluice drain SERVER [--wait]`, `sluice undrain`": against a running Sluice with the embedded store.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { runDrain } from '../../src/cli/drain/run.ts'
import { parseCommandLine } from '../../src/cli/line/command-line.ts'
import { type Client, createClient } from '../../src/client/client.ts'
import { OK, respondWith, startOrigin } from '../support/origin.ts'
import { askAdmin, type Program, runProgram, startProgram } from '../support/program.ts'
import { eventually } from '../support/until.ts'

const CONFIG = {
  workers: 1,
  listeners: { web: { address: '127.0.0.1:0' } },
  sources: { store: { kind: 'store' } },
}

interface Site {
  readonly program: Program
  readonly client: Client
  drain(...words: readonly string[]): Promise<Ran>
}

interface Ran {
  readonly code: number
  readonly printed: readonly string[]
  readonly complaint: string
}

/** Two servers of the backend `vote`, written to the store. */
async function startSite(t: TestContext, urls: readonly [string, string]): Promise<Site> {
  const program = await startProgram(t, CONFIG)
  const client = createClient({ baseUrl: `http://127.0.0.1:${program.admin}` })
  t.after(() => client.close())
  await client.objects.put('backend', 'vote', {})
  await client.objects.put('server', 'vote/v1', urls[0])
  await client.objects.put('server', 'vote/v2', urls[1])
  const frontend = { route: 'PathPrefix("/")', backend: 'vote' }
  await client.objects.put('frontend', 'vote', frontend, { wait: '10s' })
  return {
    program,
    client,
    async drain(...words) {
      const command = parseCommandLine(words)
      assert.ok(command.kind === 'drain', JSON.stringify(command))
      const printed: string[] = []
      const complaints: string[] = []
      const code = await runDrain(command, {
        client,
        now: () => performance.now(),
        pause: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
        print: (line) => printed.push(line),
        complain: (line) => complaints.push(line),
      })
      return { code, printed, complaint: complaints.join('\n') }
    },
  }
}

test('drain with --wait ends when the last request of the server has its response', async (t) => {
  const held: (() => void)[] = []
  const slow = await startOrigin(t, (_request, connection) => {
    held.push(() => connection.write(OK))
  })
  const fast = await startOrigin(t, respondWith(OK))
  const site = await startSite(t, [
    `http://127.0.0.1:${slow.port}`,
    `http://127.0.0.1:${fast.port}`,
  ])
  const asked = [1, 2].map(() => askAdmin(site.program.port, '/'))
  await eventually(() => held.length === 1, 'one of two requests is with the slow server')

  const early = await site.drain('drain', 'vote/v1', '--wait', '--timeout', '300ms')
  const waiting = site.drain('drain', 'v1', '--wait')
  const during = await askAdmin(site.program.port, '/')
  for (const release of held) release()
  const late = await waiting
  const answers = await Promise.all(asked)

  assert.equal(early.code, 1)
  assert.match(
    early.complaint,
    /^sluice: vote\/v1 still has 1 request in flight after 300ms; it stays drained: wait longer/,
  )
  assert.deepEqual([late.code, late.printed], [0, ['vote/v1: drained']])
  assert.deepEqual([during.status, ...answers.map(({ status }) => status)], [200, 200, 200])
  assert.equal(held.length, 1)
})

test('undrain gives the server requests again', async (t) => {
  const origin = await startOrigin(t, respondWith(OK))
  const site = await startSite(t, [`http://127.0.0.1:${origin.port}`, 'http://127.0.0.1:9'])
  const stateOf = async (id: string): Promise<string | undefined> =>
    (await site.client.servers()).find((one) => one.id === id)?.state

  const drained = await site.drain('drain', 'vote/v1', '--json')
  await eventually(async () => (await stateOf('v1')) === 'draining', 'it is drained')
  const used = await site.drain('undrain', 'vote/v1')
  await eventually(async () => (await stateOf('v1')) !== 'draining', 'it is in use')

  assert.deepEqual(drained.printed, [
    '{"backend":"vote","server":"v1","outcome":"changed","state":"draining"}',
  ])
  assert.deepEqual([used.code, used.printed], [0, ['vote/v1: in use']])
})

test('a server that is not there, or not clear, is refused', async (t) => {
  const site = await startSite(t, ['http://127.0.0.1:9', 'http://127.0.0.1:10'])
  await site.client.objects.put('backend', 'shop', {})
  await site.client.objects.put('server', 'shop/v1', 'http://127.0.0.1:11', { wait: '10s' })
  await eventually(
    async () => (await site.client.servers()).some(({ backend }) => backend === 'shop'),
    'the server is there',
  )

  const missing = await site.drain('drain', 'v9')
  const several = await site.drain('drain', 'v1')
  const unknown = await site.drain('drain', 'vote/v9', '--wait')

  assert.deepEqual(
    [missing.code, missing.complaint],
    [1, 'sluice: there is no server "v9"; name it as BACKEND/SERVER'],
  )
  assert.equal(several.code, 1)
  assert.match(several.complaint, /several backends have a server "v1": .*shop\/v1/)
  assert.equal(unknown.code, 1)
  assert.match(unknown.complaint, /has no such server/)
})

test('the program says what is missing, and that nothing listens', async (t) => {
  const [none, timeout, gone] = await Promise.all([
    runProgram(t, ['drain']),
    runProgram(t, ['drain', 'vote/v1', '--timeout', '3s']),
    runProgram(t, ['drain', 'vote/v1', '--vulcan', 'http://127.0.0.1:1']),
  ])

  assert.deepEqual(
    [none.code, none.errors],
    [2, 'sluice: drain needs the server: BACKEND/SERVER (see sluice drain --help)\n'],
  )
  assert.deepEqual([timeout.code, timeout.output], [2, ''])
  assert.match(timeout.errors, /--timeout is of --wait, which is missing/)
  assert.deepEqual([gone.code, gone.output], [1, ''])
  assert.match(gone.errors, /^sluice: cannot reach the admin at http:\/\/127\.0\.0\.1:1: .*\n$/)
})
