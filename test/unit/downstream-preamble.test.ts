import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, Socket } from 'node:net'
import { test } from 'node:test'
import { LimitedNotices } from '../../src/downstream/limited-notices.ts'
import { type Preamble, PreambleReader } from '../../src/downstream/preamble.ts'
import { parseListener } from '../../src/schema/objects.ts'
import { valueOf } from '../support/parsed.ts'
import { eventually } from '../support/until.ts'

function listenerOf(rest: object): Parameters<PreambleReader['update']>[0] {
  return valueOf(parseListener('web', { address: ':80', ...rest }, () => ''))
}

test('a client that was gone before it was accepted is closed without a line in the log', () => {
  const refused: string[] = []
  const listener = listenerOf({ proxyProtocol: { trusted: ['10.0.0.1'] } })
  const reader = new PreambleReader(listener, (text) => refused.push(text))
  // It has no address, as after a reset.
  const socket = new Socket()

  const isExpected = reader.expectsHeader(socket)
  const served = (): unknown => refused.push('it is served')
  reader.read(socket, false, served, served)

  assert.ok(isExpected)
  assert.ok(socket.destroyed)
  assert.deepEqual(refused, [])
})

test('of too many silent connections the one that waits longest is closed, and the next one is served', async (t) => {
  const refused: string[] = []
  const served: (string | undefined)[] = []
  const listener = listenerOf({ proxyProtocol: { trusted: ['127.0.0.1'] } })
  const reader = new PreambleReader(listener, (text) => refused.push(text), 2)
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    t.after(() => socket.destroy())
    const note = ({ proxied }: Preamble): unknown => served.push(proxied?.source?.host)
    reader.read(socket, false, note, note)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  const open = async (): Promise<Socket> => {
    const client = connect(address.port, '127.0.0.1').on('error', () => {})
    t.after(() => client.destroy())
    await Promise.all([once(client, 'connect'), once(server, 'connection')])
    return client
  }

  const first = await open()
  const second = await open()
  const third = await open()
  third.write('PROXY TCP4 203.0.113.9 192.0.2.1 5000 80\r\n')

  await eventually(() => first.destroyed && served.length > 0, 'the first one is closed')
  assert.deepEqual(served, ['203.0.113.9'])
  assert.equal(second.destroyed, false)
  assert.equal(refused.length, 1)
  assert.match(refused[0] ?? '', /it waited longest of more than 2 that have not begun/)
})

test('a listener without proxyProtocol expects no header', () => {
  const reader = new PreambleReader(listenerOf({}), () => {})

  assert.equal(reader.expectsHeader(new Socket()), false)
})

test('of many refused connections one is logged, with the number of the others in the next line', () => {
  const logged: string[] = []
  let now = 0
  const notices = new LimitedNotices(
    (text) => logged.push(text),
    () => now,
  )

  for (const text of ['a', 'b', 'c']) notices.add(text)
  now = 10_000
  notices.add('d')
  now = 20_000
  notices.add('e')

  assert.deepEqual(logged, ['a', 'd (and 2 more connections were refused)', 'e'])
})
