import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { lookup } from 'node:dns'
import { createServer, type AddressInfo } from 'node:net'
import { createServer as createHttpServer, type RequestListener } from 'node:http'
import { once } from 'node:events'
import { runBounded, type Check } from '../../src/agent/checks/check.ts'
import { createCheck } from '../../src/agent/checks/create-check.ts'
import { parseCheck } from '../../src/agent/config/check-form.ts'
import type { CheckSpec, ServiceSpec } from '../../src/agent/spec/agent-spec.ts'
import { createProbe } from '../../src/health/probe.ts'
import { startFakeRabbitmq } from '../support/fake-rabbitmq.ts'
import { choosePort } from '../support/ports.ts'
import { isRunning } from '../support/processes.ts'
import { makeFolder } from '../support/program.ts'
import { startRedis } from '../support/redis.ts'
import { startSilent } from '../support/silent.ts'
import { eventually } from '../support/until.ts'

const PORT = 9
const tools = { probe: createProbe('1.2.3', lookup), lookup }

/** A check as the file of an agent writes it, of a service on this port. */
function checkOf(written: object, port: number = PORT): { check: Check; spec: CheckSpec } {
  const service = { host: '127.0.0.1', port, scheme: 'http', intervalMs: 1_000 } as const
  const parsed = parseCheck(written, [], service, () => assert.fail('no file is read'))
  assert.ok(parsed.ok, JSON.stringify(parsed))
  const registration = { host: '127.0.0.1', port }
  const of = { name: 'web', registration } as ServiceSpec
  return { check: createCheck(parsed.value, of, tools), spec: parsed.value }
}

/** The result of one run. */
function run(written: object, port?: number, timeoutMs: number = 10_000): Promise<string | null> {
  return runBounded(checkOf(written, port).check, timeoutMs)
}

async function serve(t: TestContext, answer: RequestListener): Promise<number> {
  const server = createHttpServer(answer)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.closeAllConnections())
  t.after(() => server.close())
  return (server.address() as AddressInfo).port
}

test('http: the status, the body and the headers decide', async (t) => {
  const port = await serve(t, (request, response) => {
    response.statusCode = request.url === '/bad' ? 503 : 302
    response.end(`I am ${request.headers['x-who']} of ${request.headers.host}`)
  })
  const headers = { 'X-Who': 'web' }

  assert.equal(await run({ path: '/' }, port), null)
  assert.equal(await run({ body: 'am web of', headers }, port), null)
  assert.equal(await run({ body: 'of shop', headers, host: 'shop.example' }, port), null)
  assert.equal(await run({ path: '/bad' }, port), 'GET /bad returned 503, expected 200-399')
  assert.match(
    (await run({ body: 'am nobody', headers }, port)) ?? '',
    /body does not match am nobody/,
  )
  assert.equal(await run({ path: '/bad', status: [503] }, port), null)
})

test('http: a server that does not answer fails after the time limit, and one that is not there at once', async (t) => {
  const port = await serve(t, () => {})
  const nobody = await choosePort()

  assert.equal(await run({ path: '/' }, port, 30), 'no result within 30 ms')
  assert.match(
    (await run({ path: '/' }, nobody)) ?? '',
    /^cannot connect to 127.0.0.1:\d+: .*ECONNREFUSED/,
  )
})

test('tcp: a connection is enough, and one that is not accepted fails after the time limit', async (t) => {
  const server = createServer((socket) => socket.destroy())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const { port } = server.address() as AddressInfo
  const silent = await choosePort()
  await startSilent(t, '127.0.0.1', silent)

  assert.equal(await run({ kind: 'tcp' }, port), null)
  assert.equal(await run({ kind: 'tcp' }, silent, 50), 'no result within 50 ms')
  assert.match((await run({ kind: 'tcp' }, await choosePort())) ?? '', /ECONNREFUSED/)
})

test('redis: a real Redis passes, and fails without the password or when it is gone', async (t) => {
  const redis = await startRedis(t, { password: 'secret' })

  assert.equal(await run({ kind: 'redis', password: 'secret' }, redis.port), null)
  assert.match((await run({ kind: 'redis' }, redis.port)) ?? '', /does not answer PING: NOAUTH/)
  assert.match((await run({ kind: 'redis', password: 'wrong' }, redis.port)) ?? '', /WRONGPASS/)
  await redis.kill()
  assert.match((await run({ kind: 'redis', password: 'secret' }, redis.port)) ?? '', /ECONNREFUSED/)
})

test('redis: one that takes connections and says nothing fails after the time limit', async (t) => {
  const silent = await choosePort()
  await startSilent(t, '127.0.0.1', silent)

  assert.equal(await run({ kind: 'redis' }, silent, 50), 'no result within 50 ms')
})

test('rabbitmq: a message goes through a queue of a fake broker', async (t) => {
  const broker = await startFakeRabbitmq(t)

  assert.equal(await run({ kind: 'rabbitmq', username: 'u', password: 'p' }, broker.port), null)

  await eventually(() => broker.methods.includes('10.50'), 'the connection is closed')
  assert.deepEqual(broker.methods, [
    '10.11 "\\u0000u\\u0000p"',
    ...['10.31', '10.40', '20.10', '50.10', '60.40', 'header 19', 'body 7', '60.70', '10.50'],
  ])
})

test('rabbitmq: a broker that refuses, loses, is silent or is none fails with its reason', async (t) => {
  const broker = await startFakeRabbitmq(t)
  const fails = async (behaviour: typeof broker.behaviour): Promise<string> => {
    broker.behaviour = behaviour
    const timeoutMs = behaviour === 'says nothing' ? 50 : 10_000
    return (await run({ kind: 'rabbitmq' }, broker.port, timeoutMs)) ?? 'it passes'
  }

  assert.match(
    await fails('refuses the login'),
    /refuses the check: ACCESS_REFUSED - Login was refused$/,
  )
  assert.match(await fails('loses messages'), /has lost the message$/)
  assert.match(await fails('says nothing'), /^no result within 50 ms$/)
  assert.match(await fails('is another version'), /speaks another version of AMQP than 0-9-1$/)
  assert.match(await fails('is no broker'), /does not speak AMQP 0-9-1$/)
})

test('exec: the exit code decides, and what the program says is the reason', async () => {
  assert.equal(await run({ kind: 'exec', command: 'exit 0' }), null)
  assert.equal(
    await run({ kind: 'exec', command: ['sh', '-c', 'echo it is full >&2; exit 2'] }),
    'sh ended with 2: it is full',
  )
  assert.equal(await run({ kind: 'exec', command: 'kill -9 $$' }), '/bin/sh was ended by SIGKILL')
  assert.match(
    (await run({ kind: 'exec', command: ['/no/such/program'] })) ?? '',
    /^\/no\/such\/program cannot be started: .*ENOENT/,
  )
})

test('exec: what a program has said before its time limit is part of the reason', async () => {
  assert.equal(
    await run({ kind: 'exec', command: 'echo waiting for the disk; sleep 600' }, PORT, 500),
    'no result within 500 ms; its output: waiting for the disk',
  )
})

test('exec: the program knows what it checks', async () => {
  const command = '[ "$SLUICE_SERVICE $SLUICE_HOST $SLUICE_PORT" = "web 127.0.0.1 9" ]'

  assert.equal(await run({ kind: 'exec', command }), null)
})

test('exec: a program that hangs is killed with all that it has started', async (t) => {
  const folder = makeFolder(t)
  const file = join(folder, 'pids')
  // The second ignores SIGTERM and has left the first alone.
  const command = `sh -c 'trap "" TERM; echo $$ >> ${file}; sleep 600' & echo $$ >> ${file}; wait`

  const result = await run({ kind: 'exec', command }, PORT, 300)

  assert.equal(result, 'no result within 300 ms')
  const pids = readFileSync(file, 'utf8').trim().split('\n').map(Number)
  assert.equal(pids.length, 2)
  await eventually(() => pids.every((pid) => !isRunning(pid)), 'both have ended')
})

test('exec: what a program leaves behind does not hold up its result', async (t) => {
  const folder = makeFolder(t)
  const file = join(folder, 'pid')

  assert.equal(await run({ kind: 'exec', command: `sleep 600 & echo $! > ${file}` }), null)

  const pid = Number(readFileSync(file, 'utf8'))
  await eventually(() => !isRunning(pid), 'it has ended')
})

test('a run that is called off ends at once', async (t) => {
  const stop = new AbortController()
  const port = await serve(t, () => stop.abort())

  const result = await runBounded(checkOf({ path: '/' }, port).check, 60_000, stop)

  assert.match(result ?? '', /called off|complete response/)
})
