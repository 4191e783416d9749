// Clients that wait for a certificate: how many may, and what is left on a socket that waits no longer.
import assert from 'node:assert/strict'
import { Socket } from 'node:net'
import { test } from 'node:test'
import { CertificateDemand } from '../../src/downstream/certificate-demand.ts'

function listeners(socket: Socket): number {
  return socket.listenerCount('close') + socket.listenerCount('error')
}

test('a socket that goes on has none of its listeners', (t) => {
  const demand = new CertificateDemand(() => {})
  t.after(() => demand.destroy())
  const socket = new Socket()
  const before = listeners(socket)
  let isCovered = false
  let wentOn = 0

  demand.wait(
    socket,
    'a.test',
    () => isCovered,
    () => wentOn++,
  )
  demand.certificatesChanged()
  assert.equal(wentOn, 0)
  assert.ok(listeners(socket) > before)
  isCovered = true
  demand.certificatesChanged()

  assert.equal(wentOn, 1)
  assert.equal(listeners(socket), before)
})

test('one more than may wait lets the one that has waited longest go on', (t) => {
  const demand = new CertificateDemand(() => {})
  t.after(() => demand.destroy())
  const gone: number[] = []
  const wait = (number: number): boolean =>
    demand.wait(
      new Socket(),
      number % 2 === 0 ? 'even.test' : 'odd.test',
      () => false,
      () => gone.push(number),
    )

  for (let number = 0; number < 1_000; number++) assert.equal(wait(number), true)
  assert.deepEqual(gone, [])
  assert.equal(wait(1_000), true)
  assert.equal(wait(1_001), true)

  assert.deepEqual(gone, [0, 1])
})

test('a client that has left gives its place back', async (t) => {
  const demand = new CertificateDemand(() => {})
  t.after(() => demand.destroy())
  const gone: number[] = []
  const wait = (number: number): Socket => {
    const socket = new Socket()
    demand.wait(
      socket,
      'a.test',
      () => false,
      () => gone.push(number),
    )
    return socket
  }

  const sockets = Array.from({ length: 1_000 }, (_, number) => wait(number))
  const [first] = sockets
  const closed = new Promise((resolve) => first?.once('close', resolve))
  first?.destroy()
  await closed
  wait(1_000)

  assert.deepEqual(gone, [])
})
