// After an error response our side ends, and what the client still sends is read for a moment: but not for ever.
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { test } from 'node:test'
import { startGateway } from '../support/gateway.ts'
import { eventually } from '../support/until.ts'
import { COUNT, SHARED } from '../../src/scoreboard/layout.ts'

test('a client that was refused and never closes is disconnected', async (t) => {
  const { port, scoreboard } = await startGateway(t, { origin: 1 })
  const client = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  t.after(() => client.destroy())
  let response = ''
  client.setEncoding('latin1').on('data', (text: string) => (response += text))
  client.on('error', () => {})
  const slots = Array.from({ length: 8 }, (_, slot) => slot)

  client.write('BROKEN\r\n\r\n')
  await eventually(() => response.includes('\r\n\r\n'), 'the response')
  assert.ok(slots.some((slot) => scoreboard.shared(slot, SHARED.connections) === 1))
  await eventually(
    () => slots.every((slot) => scoreboard.shared(slot, SHARED.connections) === 0),
    'the end of the connection',
  )

  assert.match(response, /^HTTP\/1\.1 400 /)
  assert.ok(slots.some((slot) => scoreboard.sum(slot, COUNT.opened) === 1))
})
