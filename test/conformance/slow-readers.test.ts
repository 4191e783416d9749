// wire.md 2: a response never looks complete when it is not. A slow reader of a connection that is to close gets all of it.
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { test } from 'node:test'
import { startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'
import { eventually } from '../support/until.ts'

for (const [name, head] of [
  ['HTTP/1.0', 'GET / HTTP/1.0\r\n\r\n'],
  ['Connection: close', 'GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n'],
] as const) {
  test(`a reader that pauses gets the whole of a response that ends with its connection: ${name}`, async (t) => {
    const body = 'x'.repeat(12_000_000)
    const origin = await startOrigin(t, (_request, connection) => {
      connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
    })
    const gateway = await startGateway(t, { origin: origin.port })
    const client = connect({ port: gateway.port, host: '127.0.0.1' })
    t.after(() => client.destroy())
    let bytes = 0
    let isOver = false
    client.once('close', () => (isOver = true))
    client.on('data', (data) => {
      bytes += data.length
      // Stops once near the end, for longer than a connection lingers.
      if (bytes > 7_000_000 && !stopped) {
        stopped = true
        client.pause()
        setTimeout(() => client.resume(), 3_500)
      }
    })
    let stopped = false

    client.write(head)
    await eventually(() => isOver, 'the end of the response')

    assert.ok(stopped)
    assert.ok(bytes > body.length, `${bytes} bytes`)
  })
}
