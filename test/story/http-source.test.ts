// A document over HTTP with the whole program: in force, kept while its server fails, gone once its removal is confirmed.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { openClient } from '../support/client.ts'
import { startDocument } from '../support/http-document.ts'
import { choosePort } from '../support/ports.ts'
import { makeFolder, startProgram, type Program } from '../support/program.ts'
import { startNamed } from '../support/servers.ts'
import { untilSource, untilTable } from '../support/sources.ts'
import { eventually } from '../support/until.ts'

test('a document is in force, serves on while its server fails, and is gone when an empty one is confirmed', async (t) => {
  const { url } = await startNamed(t, 'one')
  const server = await startDocument(t)
  server.set(documentOf(url))
  const settings = await settingsFor(t, server.url)
  const program = await startProgram(t, settings)

  const first = await statusOf(t, program)
  server.respond((_, response) => response.writeHead(500).end('busy'))
  const stale = await untilSource(program, 'http', ({ state }) => state !== 'live', 'it fails')
  const whileStale = await statusOf(t, program)
  server.set('{"frontends": {}}')
  const held = await untilSource(program, 'http', (report) => report.held !== null, 'it is held')
  const whileHeld = await statusOf(t, program)
  await untilTable(program, '?kind=frontend', ({ objects }) => objects.length === 0, 'it is gone')
  // The thread has it a little later.
  await eventually(async () => (await statusOf(t, program)) === 404, 'no route is left')

  assert.deepEqual([first, whileStale, whileHeld], [200, 200, 200])
  assert.match(stale.error ?? '', /responds to \/config with 500: busy/)
  assert.match(held.held?.reason ?? '', /the source is empty \(\d objects before\)/)
})

test('a start without the server serves the last document', async (t) => {
  const { url } = await startNamed(t, 'one')
  const server = await startDocument(t)
  server.set(documentOf(url))
  const settings = await settingsFor(t, server.url)
  const before = await startProgram(t, settings)
  await untilSource(before, 'http', ({ lastGood }) => lastGood?.savedAt != null, 'it is saved')
  before.signal('SIGTERM')
  await before.ended()
  await server.stop()

  const program = await startProgram(t, settings)

  assert.equal(await statusOf(t, program), 200)
})

async function settingsFor(t: TestContext, url: string): Promise<object> {
  return {
    workers: 1,
    data: makeFolder(t),
    admin: { address: '127.0.0.1:0' },
    listeners: { web: { address: `127.0.0.1:${await choosePort()}` } },
    sources: { http: { url, interval: '100ms', shrink: { hold: '500ms' } } },
  }
}

function documentOf(url: string): string {
  const frontends = { f: { route: 'Host("a")', backend: 'b' } }
  return JSON.stringify({ backends: { b: { servers: { s: url } } }, frontends })
}

async function statusOf(t: TestContext, program: Program): Promise<number> {
  const client = await openClient(t, program.port)
  const { line } = await client.ask('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  return Number(line.split(' ')[1])
}
