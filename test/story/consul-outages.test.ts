// needs: consul
// Issue: "Consul leader killed: 0 failed requests, the table unchanged, then in step again". The catalogue as the source of all routes.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { startConsul, startConsulCluster, leaderOf, type Consul } from '../support/consul.ts'
import { startLoad, type Load } from '../support/load.ts'
import { choosePort } from '../support/ports.ts'
import { makeFolder, startProgram, type Program } from '../support/program.ts'
import { startNamed } from '../support/servers.ts'
import { tableOf, untilSource, untilTable } from '../support/sources.ts'

const SERVICES = 20

test('the leader of three Consul servers is killed under load: no request fails, and the next change is followed', async (t) => {
  const servers = await startConsulCluster(t, 3)
  const leader = await leaderOf(servers)
  const others = servers.filter((server) => server !== leader)
  const [other] = others
  assert.ok(other !== undefined)
  const { program, load, urls } = await setStage(t, leader, servers)
  await load.more(100)
  const before = await namesIn(program)

  await leader.kill()
  await untilSource(program, 'consul', ({ losses }) => losses > 0, 'the loss is noticed')
  const without = await namesIn(program)
  await untilSource(program, 'consul', ({ state }) => state === 'live', 'live again')
  await registerService(other, 'late', urls)
  await untilTable(
    program,
    '?kind=frontend&id=late',
    ({ objects }) => objects.length === 1,
    'a service that is registered with the new leader',
  )
  await load.more(100)
  const report = await load.stop()

  assert.deepEqual(report.failures, [])
  assert.deepEqual(Object.keys(report.statuses), ['200'])
  assert.deepEqual(without, before)
  t.diagnostic(`${report.answered} requests, none failed`)
})

test('a Consul is killed, comes back, and comes back with nothing under load: no request fails, and the loss is held', async (t) => {
  const server = await startConsul(t)
  const { program, load } = await setStage(t, server, [server])
  await load.more(100)
  const before = await namesIn(program)

  await server.kill()
  const { error } = await untilSource(program, 'consul', ({ state }) => state === 'stale', 'stale')
  await load.more(200)
  await server.start()
  await untilSource(program, 'consul', ({ state }) => state === 'live', 'live')
  const back = await namesIn(program)
  await server.wipe()
  await server.start()
  const { held } = await untilSource(program, 'consul', (one) => one.held !== null, 'held')
  await load.more(100)
  const emptied = await namesIn(program)
  const report = await load.stop()

  assert.deepEqual(report.failures, [])
  assert.deepEqual(Object.keys(report.statuses), ['200'])
  assert.deepEqual(back, before)
  assert.deepEqual(emptied, before)
  assert.notEqual(error, null)
  assert.match(held?.reason ?? '', /empty/)
  t.diagnostic(`${report.answered} requests, none failed`)
})

interface Stage {
  readonly program: Program
  readonly load: Load
  readonly urls: readonly string[]
}

/** Services that `writer` has, on two nodes without agents, under steady load. */
async function setStage(
  t: TestContext,
  writer: Consul,
  endpoints: readonly Consul[],
): Promise<Stage> {
  const urls = [(await startNamed(t, 'one')).url, (await startNamed(t, 'two')).url]
  for (let i = 0; i < SERVICES; i++) await registerService(writer, `s${i}`, urls)
  const program = await startProgram(t, {
    workers: 2,
    data: makeFolder(t),
    listeners: { web: { address: `127.0.0.1:${await choosePort()}` } },
    sources: { consul: { endpoints: endpoints.map(({ endpoint }) => endpoint) } },
  })
  let turn = 0
  const load = startLoad(t, {
    port: program.port,
    clients: 4,
    pauseMs: 5,
    request: () => `GET / HTTP/1.1\r\nHost: s${turn++ % SERVICES}.test\r\n\r\n`,
  })
  return { program, load, urls }
}

async function registerService(
  consul: Consul,
  Service: string,
  urls: readonly string[],
): Promise<void> {
  for (const [i, url] of urls.entries()) {
    await consul.call('PUT', '/v1/catalog/register', {
      Node: `node-${i}`,
      Address: '127.0.0.1',
      Service: {
        Service,
        ID: Service,
        Port: Number(new URL(url).port),
        Tags: ['sluice.enable=true', `sluice.host=${Service}.test`],
      },
    })
  }
}

async function namesIn(program: Program): Promise<readonly string[]> {
  const { objects } = await tableOf(program)
  return objects.map(({ kind, id }) => `${kind} ${id}`).sort()
}
