import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { HANDLES_TAKE_NO_REQUEST } from '../../src/http/connection/handle-writes.ts'
import { writeSmall } from '../../src/http/connection/straight-writes.ts'
import { eventually } from '../support/until.ts'

/** A socket with a writer, and its peer, which reads nothing yet. */
async function pair(t: TestContext): Promise<{
  writer: { readonly socket: Socket; straightBytes: number }
  peer: Socket
}> {
  const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const [peer] = (await once(server, 'connection')) as [Socket]
  await eventually(() => !socket.connecting, 'the connection')
  for (const one of [socket, peer]) one.on('error', () => {})
  t.after(() => {
    socket.destroy()
    peer.destroy()
    server.close()
  })
  return { writer: { socket, straightBytes: 0 }, peer }
}

async function textOf(peer: Socket, length: number): Promise<string> {
  let text = ''
  peer.on('data', (data: Buffer) => (text += data.toString('latin1')))
  peer.resume()
  await eventually(() => text.length >= length, 'all of the text')
  return text
}

test('what the system takes at once leaves nothing in the socket', async (t) => {
  const { writer, peer } = await pair(t)

  writeSmall(writer, 'small \xfc')

  assert.equal(writer.socket.bytesWritten, 7)
  assert.equal(writer.socket.writableLength + writer.straightBytes, 0)
  assert.equal(await textOf(peer, 7), 'small \xfc')
})

test('a peer that reads late gets everything in order', async (t) => {
  const { writer, peer } = await pair(t)
  let sent = ''

  for (let number = 0; writer.socket.writableLength < 100_000; number++) {
    const text = String(number).padStart(8, '.').repeat(1000)
    writeSmall(writer, text)
    sent += text
  }
  const waiting = writer.straightBytes
  const received = await textOf(peer, sent.length)

  assert.equal(waiting > 0, HANDLES_TAKE_NO_REQUEST, 'one text waits below the stream')
  assert.equal(writer.straightBytes, 0)
  assert.ok(received === sent, 'the same text')
})

test('an error of the system ends the socket', async (t) => {
  const { writer, peer } = await pair(t)
  const errors: Error[] = []
  writer.socket.on('error', (error) => errors.push(error))
  peer.resetAndDestroy()

  await eventually(() => {
    if (!writer.socket.destroyed) writeSmall(writer, 'x')
    return writer.socket.destroyed && errors.length > 0
  }, 'the error')

  assert.match(errors[0]?.message ?? '', /EPIPE|ECONNRESET/)
})
