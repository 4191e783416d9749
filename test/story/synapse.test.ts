// needs: zookeeper, kazoo
/**
 * A configuration of synapse with two services, a real ZooKeeper, and znodes as nerve writes them, which kazoo writes here.
 * What synapse ends at (an expired session, a restart of ZooKeeper, a registry that is emptied) ends nothing.
 */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { openClient } from '../support/client.ts'
import { startKazoo, type Kazoo } from '../support/kazoo.ts'
import { startLoad } from '../support/load.ts'
import { value } from '../support/message.ts'
import { choosePort } from '../support/ports.ts'
import {
  makeFolder,
  runProgram,
  spawnProgram,
  startProgram,
  type Program,
} from '../support/program.ts'
import { startNamed } from '../support/servers.ts'
import { untilTable } from '../support/sources.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'
import { startZookeeper } from '../support/zookeeper.ts'

const EXAMPLES = fileURLToPath(new URL('../../config/examples/', import.meta.url))
const zookeeper = await startZookeeper({ after })
const REQUEST = 'GET / HTTP/1.1\r\nHost: orders\r\n\r\n'

interface Stage {
  readonly program: Program
  readonly kazoo: Kazoo
  readonly ports: { readonly orders: number; readonly database: number }
  /** Waits until the backend has these servers. */
  servers(backend: string, ...ports: readonly number[]): Promise<unknown>
  ask(port: number): Promise<string>
}

async function start(t: TestContext, hosts: string, endpoint: string): Promise<Stage> {
  const folder = makeFolder(t)
  const ports = { orders: await choosePort(), database: await choosePort() }
  const discovery = (name: string): object => ({
    ...{ method: 'zookeeper', path: `/nerve/services/${name}/services`, hosts: [hosts] },
  })
  const config = {
    services: {
      orders: {
        discovery: discovery('orders'),
        haproxy: {
          port: String(ports.orders),
          server_options: 'check inter 500',
          listen: ['mode http'],
        },
      },
      database: {
        discovery: {
          ...discovery('database'),
          label_filters: [{ label: 'role', value: 'primary', condition: 'equals' }],
        },
        haproxy: { port: ports.database, listen: ['mode http', 'balance leastconn'] },
      },
    },
    haproxy: { global: [], defaults: ['timeout connect 2s'], do_writes: false },
    file_output: { output_directory: 'output' },
  }
  const file = join(folder, 'synapse.conf.json')
  writeFileSync(file, JSON.stringify(config))
  const kazoo = await startKazoo(t, endpoint)
  const program = await startProgram(
    t,
    { admin: { address: '127.0.0.1:0' }, data: 'data', workers: 1 },
    { folder, args: ['--synapse', file] },
  )
  return {
    ...{ program, kazoo, ports },
    servers: (backend, ...wanted) =>
      untilTable(
        program,
        '?kind=server',
        ({ objects }) =>
          String(
            objects
              .filter(({ id }) => id.startsWith(`${backend}/`))
              .map(({ id }) => Number(id.split(':').at(-1)))
              .toSorted((one, other) => one - other),
          ) === String(wanted.toSorted((one, other) => one - other)),
        `${backend} at ${wanted.join()}`,
      ),
    async ask(port) {
      const client = await openClient(t, port)
      const response = await client.ask(REQUEST)
      client.end()
      return value(response, 'x-server') ?? ''
    },
  }
}

/** As nerve does: an ephemeral znode with a number at its end. */
function register(kazoo: Kazoo, service: string, port: number, more: object = {}): Promise<string> {
  const data = JSON.stringify({ host: '127.0.0.1', port, name: `i-${port}`, ...more })
  return kazoo.create(`/nerve/services/${service}/services/i-${port}_`, data, {
    ephemeral: true,
    sequence: true,
  })
}

test('two services follow nerve, and the servers of one are replaced under load without a failure', async (t) => {
  const stage = await start(t, zookeeper.endpoint, zookeeper.endpoint)
  const { kazoo, ports, servers, ask, program } = stage
  const database = await startNamed(t, 'database')
  const spare = await startNamed(t, 'spare')
  let current = await startNamed(t, 'orders-0')
  let znode = await register(kazoo, 'orders', current.port)
  await register(kazoo, 'database', database.port, { labels: { role: 'primary' } })
  await register(kazoo, 'database', spare.port, { labels: { role: 'replica' } })
  await servers('orders', current.port)
  await servers('database', database.port)
  assert.equal(await ask(ports.database), 'database')

  const load = startLoad(t, {
    ...{ port: ports.orders, clients: 4, pauseMs: 2 },
    request: () => REQUEST,
  })
  for (const name of ['orders-1', 'orders-2', 'orders-3']) {
    const next = await startNamed(t, name)
    const added = await register(kazoo, 'orders', next.port)
    await servers('orders', current.port, next.port)
    await load.more(50)
    await kazoo.delete(znode)
    await servers('orders', next.port)
    await load.more(50)
    await current.close()
    ;[current, znode] = [next, added]
  }
  const report = await load.stop()

  assert.deepEqual([report.failures, report.refused], [[], 0])
  assert.deepEqual(Object.keys(report.statuses), ['200'])
  const written: unknown = JSON.parse(
    readFileSync(join(program.folder, 'output', 'orders.json'), 'utf8'),
  )
  assert.deepEqual(
    (written as { port: number }[]).map(({ port }) => port),
    [current.port],
  )
})

test('an expired session and a restart of ZooKeeper end nothing, and later changes are followed', async (t) => {
  const link = await startTcpProxy(t, zookeeper.port)
  const stage = await start(t, link.address, zookeeper.endpoint)
  const { kazoo, ports, servers, ask, program } = stage
  const one = await startNamed(t, 'one')
  const two = await startNamed(t, 'two')
  const path = '/nerve/services/orders/services'
  const dataOf = (port: number): string => JSON.stringify({ host: '127.0.0.1', port })
  await kazoo.put(`${path}/one_0000000001`, dataOf(one.port))
  await servers('orders', one.port)

  // The session expires on the server while nothing of the program arrives there.
  link.blackhole()
  await untilTable(program, '', (table) => JSON.stringify(table).includes('stays'), 'a problem')
  assert.equal(await ask(ports.orders), 'one')
  await kazoo.put(`${path}/two_0000000002`, dataOf(two.port))
  await kazoo.delete(`${path}/one_0000000001`)
  await link.pass()
  await servers('orders', two.port)

  await zookeeper.kill()
  assert.equal(await ask(ports.orders), 'two')
  await zookeeper.start()
  const again = await startKazoo(t, zookeeper.endpoint)
  await again.put(`${path}/one_0000000003`, dataOf(one.port))
  await servers('orders', one.port, two.port)

  // All are gone: the last ones stay.
  await again.delete(`${path}/one_0000000003`)
  await servers('orders', two.port)
  await again.delete(`${path}/two_0000000002`)
  await untilTable(
    program,
    '',
    (table) => JSON.stringify(table).includes('previous ones stay'),
    'a problem',
  )
  assert.equal(await ask(ports.orders), 'two')
  assert.equal(program.log().filter(({ msg }) => msg === 'serving').length, 1)
})

test('the example serves by --synapse alone, and is good as a source of a file', async (t) => {
  const folder = makeFolder(t)
  const server = await startNamed(t, 'spare')
  const port = await choosePort()
  const example = readFileSync(join(EXAMPLES, 'synapse.d', 'synapse.conf.json'), 'utf8')
  const file = join(folder, 'synapse.conf.json')
  const written = [
    [5001, server.port],
    [3213, port],
    [3306, await choosePort()],
    [2181, await choosePort()],
  ]
  writeFileSync(
    file,
    written.reduce((text, [usual, own]) => text.replace(String(usual), String(own)), example),
  )
  const flags = ['--admin-address', '127.0.0.1:0', '--data', join(folder, 'data'), '--workers', '0']

  const checked = await runProgram(t, ['check', join(EXAMPLES, 'synapse.yaml')])
  const missing = await runProgram(t, ['serve', '--synapse', join(folder, 'none.json'), ...flags])
  const program = spawnProgram(t, ['serve', '--synapse', file, ...flags])
  await program.until(
    () => program.log().find(({ msg }) => msg === 'serving') ?? program.failure(),
    'the program serves',
    20_000,
  )
  const client = await openClient(t, port)
  const response = await client.ask(REQUEST)

  assert.equal(value(response, 'x-server'), 'spare')
  assert.match(checked.output, /: good, /)
  assert.equal(missing.code, 1)
  assert.match(missing.errors, /none\.json: there is no such file/)
})
