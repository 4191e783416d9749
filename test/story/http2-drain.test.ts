// Issue: requests of mixed HTTP/1 and HTTP/2 clients over SIGTERM, and over the removal of a server: none fails.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startHttp2Load } from '../support/http2/load.ts'
import { startLoad } from '../support/load.ts'
import { choosePort } from '../support/ports.ts'
import { startProgram } from '../support/program.ts'
import { get } from '../support/refusal.ts'
import { startNamed } from '../support/servers.ts'
import { eventually } from '../support/until.ts'

test('SIGTERM under mixed load fails no request', async (t) => {
  const server = await startNamed(t, 'server', 5)
  const program = await startProgram(t, {
    workers: 2,
    listeners: { web: { address: `127.0.0.1:${await choosePort()}` } },
    backends: { one: { servers: { only: server.url } } },
    frontends: { all: { route: 'PathPrefix("/")', backend: 'one' } },
  })
  const { port } = program
  const old = startLoad(t, { port, clients: 8, request: () => get('/'), pauseMs: 10 })
  const modern = startHttp2Load(t, { port, sessions: 8, streams: 4 })
  await Promise.all([old.more(100), modern.more(500)])

  program.signal('SIGTERM')
  const [first, second] = await Promise.all([old.ended(), modern.ended()])
  const { code, errors } = await program.ended()

  t.diagnostic(`${first.answered + second.answered} requests, ${second.unsent} not sent`)
  assert.deepEqual([first.failures, second.failures], [[], []])
  assert.deepEqual([first.goodbyes, second.goodbyes], [8, 8])
  assert.deepEqual(Object.keys(second.statuses), ['200'])
  assert.equal(first.answered + second.answered, server.requests())
  assert.deepEqual([code, errors], [0, ''])
})

test('the removal of a server under mixed load fails no request', async (t) => {
  const [stays, goes] = await Promise.all([startNamed(t, 'stays', 2), startNamed(t, 'goes', 2)])
  const config = (servers: object): object => ({
    workers: 2,
    listeners: { web: { address: `127.0.0.1:${port}` } },
    backends: { one: { servers } },
    frontends: { all: { route: 'PathPrefix("/")', backend: 'one' } },
  })
  const port = await choosePort()
  const program = await startProgram(t, config({ stays: stays.url, goes: goes.url }))
  const old = startLoad(t, { port, clients: 8, request: () => get('/') })
  const modern = startHttp2Load(t, { port, sessions: 8, streams: 4 })
  await Promise.all([old.more(100), modern.more(500)])

  program.write(config({ stays: stays.url }))
  await eventually(
    async () => !(await program.ask('/api/table')).text.includes(goes.url),
    'the server is gone from the table',
  )
  await Promise.all([old.more(100), modern.more(500)])
  const [first, second] = await Promise.all([old.stop(), modern.stop()])

  assert.deepEqual([first.failures, second.failures], [[], []])
  assert.equal(first.answered + second.answered, stays.requests() + goes.requests())
})
