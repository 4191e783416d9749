/** A backend whose replicas are processes of this machine, as a user declares it in the file. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { get as httpGet } from 'node:http'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Scale } from '../../src/client/state.ts'
import { startLoad } from '../support/load.ts'
import { accepts, adjacentPorts } from '../support/ports.ts'
import { makeFolder, startProgram } from '../support/program.ts'
import { eventually } from '../support/until.ts'

/** A twentieth of a second for each response; it ends when it has answered. */
const SERVER = `const server = require('node:http').createServer((_, response) =>
  setTimeout(() => response.end(process.env.REPLICA), 50)).listen(process.env.PORT, '127.0.0.1')
  process.once('SIGTERM', () => server.close())`

test('processes are started under load, serve, and end after the requests of a program that ends', async (t) => {
  const ports = await adjacentPorts(3)
  const program = await startProgram(t, {
    listeners: { web: { address: '127.0.0.1:0' } },
    backends: {
      vote: {
        scale: {
          actuator: { process: { command: [process.execPath, '-e', SERVER], port: ports[0] } },
          ...{ min: 1, max: 3, stableWindow: '2s', panicWindow: '2s' },
          concurrency: 4,
        },
        servers: Object.fromEntries(ports.map((port, at) => [at + 1, `http://127.0.0.1:${port}`])),
      },
    },
    frontends: { vote: { route: 'Host("vote.test")', backend: 'vote' } },
  })
  const ready = async (): Promise<number> => {
    const { text } = await program.ask('/api/scale')
    return (JSON.parse(text) as Scale).backends[0]?.ready ?? 0
  }
  await eventually(async () => (await ready()) === 1, 'the least number runs')
  const served = new Set<string>()

  const load = startLoad(t, {
    port: program.port,
    clients: 20,
    request: () => 'GET / HTTP/1.1\r\nHost: vote.test\r\n\r\n',
    onResponse: ({ body }) => void served.add(String(body)),
  })
  await eventually(() => served.size === 3, 'three replicas respond')
  program.signal('SIGTERM')
  const { failures, refused, statuses, answered } = await load.ended()
  const { code } = await program.ended()

  assert.deepEqual([statuses, code], [{ 200: answered }, 0])
  assert.deepEqual([failures, refused], [[], 0])
  await eventually(
    async () => (await Promise.all(ports.map(accepts))).every((isOpen) => !isOpen),
    'the processes have ended',
  )
})

/** Listens once a file is there. */
const LATE = `const timer = setInterval(() => {
  if (!require('node:fs').existsSync(process.argv[1])) return
  clearInterval(timer)
  require('node:http').createServer((_, response) => response.end('served')).listen(process.env.PORT, '127.0.0.1')
}, 20)`

test('a request that waits for the first process is served by a program that ends', async (t) => {
  const [port = 0] = await adjacentPorts(1)
  const file = join(makeFolder(t), 'go')
  const command = [process.execPath, '-e', LATE, file]
  const program = await startProgram(t, {
    listeners: { web: { address: '127.0.0.1:0' } },
    backends: {
      vote: {
        health: { path: '/', interval: '200ms', timeout: '200ms', rise: 1 },
        scale: { actuator: { process: { command, port } }, min: 0, max: 1 },
        servers: { 1: `http://127.0.0.1:${port}` },
      },
    },
    frontends: { vote: { route: 'PathPrefix("/")', backend: 'vote' } },
  })
  const served = new Promise<number | undefined>((resolve, reject) => {
    httpGet({ host: '127.0.0.1', port: program.port }, (response) => {
      response.resume()
      resolve(response.statusCode)
    }).once('error', reject)
  })
  const started = (): boolean => program.log().some(({ msg }) => msg.endsWith('is started'))
  await eventually(started, 'the process is started')

  program.signal('SIGTERM')
  await program.logged('draining')
  writeFileSync(file, '')
  const status = await served
  const { code } = await program.ended()

  assert.deepEqual([status, code], [200, 0])
})
