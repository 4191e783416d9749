// needs: docker-engine
/** A program that follows a real Docker engine: three labels, and what happens to requests while containers and engines go. */
import assert from 'node:assert/strict'
import { after, test, type TestContext } from 'node:test'
import { nodeIn, startDockerEngine, type DockerEngine } from '../support/docker-engine.ts'
import { placeExample, startExample } from '../support/example.ts'
import { startLoad } from '../support/load.ts'
import { accepts, choosePort } from '../support/ports.ts'
import { startProgram, type Program } from '../support/program.ts'
import { reportOf, tableOf, untilSource, untilTable } from '../support/sources.ts'
import { eventually } from '../support/until.ts'

const shared = await startDockerEngine({ after })
const HOST = 'web.test'

function startFollowing(t: TestContext, engine: DockerEngine, more: object = {}): Promise<Program> {
  return startProgram(t, {
    workers: 2,
    listeners: { web: { address: '127.0.0.1:0' } },
    sources: { docker: { endpoint: `unix://${engine.socket}`, ...more } },
  })
}

/** Answers after `delayMs`; on SIGTERM it listens no more, and ends when all are answered. */
function serving(port: number, delayMs: number): string {
  return `const server = require('node:http').createServer((request, response) =>
    setTimeout(() => response.end('${port}'), ${delayMs})).listen(${port}, '127.0.0.1')
  process.on('SIGTERM', () => { server.close(); server.closeIdleConnections() })`
}

/**
 * Containers of one service, as compose starts them, each once the one before listens: without a health check a container gets
 * requests as soon as it runs, and a request has two attempts.
 */
async function startService(
  engine: DockerEngine,
  from: number,
  to: number,
  delayMs: number,
): Promise<void> {
  for (let number = from; number <= to; number++) {
    const port = await choosePort()
    const labels = {
      ...{ 'sluice.enable': 'true', 'sluice.host': HOST, 'sluice.port': String(port) },
      ...{ 'com.docker.compose.project': 'shop', 'com.docker.compose.service': 'web' },
    }
    await engine.run(`shop-web-${number}`, labels, nodeIn(serving(port, delayMs)))
    await eventually(() => accepts(port), `container ${number} listens`)
  }
}

const request = (): string => `GET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`

function untilServers(program: Program, count: number): Promise<unknown> {
  const isSo = ({ objects }: { objects: readonly unknown[] }): boolean => objects.length === count
  return untilTable(program, '?kind=server', isSo, `${count} servers`)
}

test('examples/docker.yaml: a container with three labels is served', async (t) => {
  await shared.removeAll()
  const port = await choosePort()
  const example = await placeExample(t, 'examples/docker.yaml')
  const own = { ...example, text: example.text.replace('/var/run/docker.sock', shared.socket) }
  const site = await startExample(t, own)
  const [, command = ''] = /^# {3}docker run -d (.*) nginx$/m.exec(own.text) ?? []
  const args = command.replace('port=80', `port=${port}`).split(' ')

  await shared.run('vote', {}, { args, ...{ command: ['httpd', '-f', '-p', `127.0.0.1:${port}`] } })
  await untilServers(site.program, 1)

  // An httpd without a file.
  assert.equal((await site.get('vote.localhost', '/')).status, 404)
})

test('no request fails while containers of a service are started and stopped', async (t) => {
  await shared.removeAll()
  await startService(shared, 1, 1, 300)
  const program = await startFollowing(t, shared)
  await untilServers(program, 1)
  const load = startLoad(t, { port: program.port, clients: 8, request })

  await load.more(10)
  await startService(shared, 2, 4, 300)
  await untilServers(program, 4)
  await load.more(40)
  await shared.docker('stop', 'shop-web-4')
  await untilServers(program, 3)
  await shared.docker('stop', 'shop-web-1')
  await untilServers(program, 2)
  await load.more(20)
  await startService(shared, 5, 5, 300)
  await untilServers(program, 3)
  await load.more(20)
  const report = await load.stop()

  assert.deepEqual(report.failures, [])
  assert.deepEqual(Object.keys(report.statuses), ['200'])
  assert.equal((await reportOf(program, 'docker')).held, null)
})

test('no request fails while the engine is killed and back, and the table stays', async (t) => {
  const engine = await startDockerEngine(t)
  await startService(engine, 1, 2, 10)
  const program = await startFollowing(t, engine)
  await untilServers(program, 2)
  const load = startLoad(t, { port: program.port, clients: 4, request })
  const before = await tableOf(program)
  await load.more(50)

  await engine.kill()
  await untilSource(program, 'docker', ({ state }) => state !== 'live', 'the loss')
  await load.more(200)
  const during = await tableOf(program)
  await engine.start()
  await untilSource(program, 'docker', ({ state }) => state === 'live', 'the recovery')
  const since = await tableOf(program)
  await startService(engine, 3, 3, 10)
  await untilServers(program, 3)
  await load.more(50)
  const report = await load.stop()

  assert.deepEqual([during.objects, since.objects], [before.objects, before.objects])
  assert.deepEqual(report.failures, [])
  assert.deepEqual(Object.keys(report.statuses), ['200'])
})

test('what an engine has lost when it is back is held', async (t) => {
  const engine = await startDockerEngine(t)
  await startService(engine, 1, 2, 10)
  const program = await startFollowing(t, engine, { shrink: { hold: 'forever' } })
  await untilServers(program, 2)

  await engine.wipe()
  await engine.start()
  const report = await untilSource(
    program,
    'docker',
    ({ held }) => held !== null,
    'the hold',
    20_000,
  )

  assert.match(report.held?.reason ?? '', /the source is empty/)
  assert.equal((await tableOf(program, '?kind=server')).objects.length, 2)
})

test('a program that starts without its engine serves what it declared last', async (t) => {
  const engine = await startDockerEngine(t)
  await startService(engine, 1, 1, 10)
  const first = await startFollowing(t, engine)
  await untilServers(first, 1)
  await untilSource(
    first,
    'docker',
    ({ lastGood }) => (lastGood?.savedAt ?? null) !== null,
    'a save',
  )
  first.signal('SIGTERM')
  await first.ended()
  await engine.kill()

  const second = await startProgram(
    t,
    {
      workers: 1,
      listeners: { web: { address: '127.0.0.1:0' } },
      sources: { docker: { endpoint: `unix://${engine.socket}` } },
    },
    { folder: first.folder },
  )
  const load = startLoad(t, { port: second.port, clients: 1, request, total: 5 })

  assert.deepEqual((await load.ended()).statuses, { 200: 5 })
})
