/** How many sockets are closed in a turn of the event loop. */
import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import { Closings } from '../../src/http/connection/closings.ts'
import { turn } from '../support/until.ts'

class FakeSocket {
  destroyed = false
  isPaused = false

  destroy(): void {
    this.destroyed = true
  }

  pause(): void {
    this.isPaused = true
  }
}

function createSockets(count: number): FakeSocket[] {
  return Array.from({ length: count }, () => new FakeSocket())
}

test('eight sockets are closed at once, and further ones are paused and closed eight in a turn', async () => {
  const closings = new Closings()
  const sockets = createSockets(20)
  const closed = (): number => sockets.filter(({ destroyed }) => destroyed).length
  const counts: number[] = []

  for (const socket of sockets) closings.close(socket as unknown as Socket)
  for (; counts.length < 3; await turn()) counts.push(closed())

  assert.deepEqual(counts, [8, 16, 20])
  assert.deepEqual(
    sockets.map(({ isPaused }) => isPaused),
    sockets.map((_, at) => at >= 8),
  )
})

test('a socket that is closed twice, or was closed meanwhile, takes no place of another', async () => {
  const closings = new Closings()
  const sockets = createSockets(16)
  const [first] = sockets

  for (const socket of [first, first, ...sockets.slice(1)])
    closings.close(socket as unknown as Socket)
  for (const socket of sockets.slice(8, 12)) socket.destroyed = true
  await turn()

  assert.ok(sockets.every(({ destroyed }) => destroyed))
})
