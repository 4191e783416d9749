/** How many requests of one read begin in a turn of the event loop. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BeginTurn, BeginQueue } from '../../src/http2/begin-queue.ts'
import { requestFields } from '../support/http2/client.ts'
import { headersFrame, resetFrame } from '../support/http2/frames.ts'
import { block } from '../support/http2/hpack.ts'
import { startLinkedClient } from '../support/http2/links.ts'
import { eventually, turn } from '../support/until.ts'

const GET = block(...requestFields())

interface FakeStream {
  readonly id: number
  isReset: boolean
  readonly readEnded: () => void
  readonly caught: (error: unknown) => void
}

type TakenStream = Parameters<BeginQueue['touch']>[0]

function createStreams(count: number, act: (number: number) => void): FakeStream[] {
  return Array.from({ length: count }, (_, number) => ({
    id: 2 * number + 1,
    isReset: false,
    readEnded: () => act(number),
    caught: (error) => assert.ifError(error),
  }))
}

function touch(ends: BeginQueue, streams: readonly FakeStream[]): void {
  for (const stream of streams) ends.touch(stream as unknown as TakenStream)
}

test('streams beyond the number go on a turn later, a number of them each turn, in their order', async () => {
  const ends = new BeginQueue(4, new BeginTurn(() => 0))
  const ended: number[] = []
  const streams = createStreams(10, (number) => ended.push(number))
  const counts: number[] = []

  touch(ends, streams)
  for (ends.end(); ended.length < 10; await turn()) counts.push(ended.length)
  await turn()

  assert.deepEqual(counts, [4, 8])
  assert.deepEqual(ended, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
})

test('reads between two turns end behind those that wait, and add no turns of their own', async () => {
  const ends = new BeginQueue(2, new BeginTurn(() => 0))
  const ended: number[] = []
  const streams = createStreams(6, (number) => ended.push(number))

  touch(ends, streams.slice(0, 3))
  ends.end()
  touch(ends, streams.slice(3))
  ends.end()
  assert.deepEqual(ended, [0, 1])
  await turn()
  assert.deepEqual(ended, [0, 1, 2, 3])
  await turn()

  assert.deepEqual(ended, [0, 1, 2, 3, 4, 5])
})

test('what is reset before its turn does not begin, and takes no place', async () => {
  const ends = new BeginQueue(2, new BeginTurn(() => 0))
  const ended: number[] = []
  const streams = createStreams(6, (number) => ended.push(number))

  touch(ends, streams)
  ends.end()
  for (const stream of streams.slice(2, 4)) stream.isReset = true
  await turn()

  assert.deepEqual(ended, [0, 1, 4, 5])
})

test('connections whose streams take long share a turn, and each begins one more', async () => {
  let now = 0
  const shared = new BeginTurn(() => now)
  const ended: string[] = []
  const links = ['a', 'b'].map((name) => {
    const ends = new BeginQueue(16, shared)
    const takesLong = (number: number): void => {
      now += 0.6
      ended.push(`${name}${number}`)
    }
    touch(ends, createStreams(3, takesLong))
    return ends
  })

  for (const ends of links) ends.end()
  assert.deepEqual(ended.splice(0), ['a0', 'a1', 'b0'])
  await turn()
  assert.deepEqual(ended.splice(0), ['a2', 'b1', 'b2'])
})

test('a connection that leaves requests open begins more of them at a pace', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  let now = 0
  const queue = new BeginQueue(100, new BeginTurn(() => now))
  let begun = 0
  const streams = createStreams(50, () => begun++)
  const counts: number[] = []

  touch(queue, streams)
  queue.end()
  for (; counts.length < 4; t.mock.timers.tick(1)) {
    counts.push(begun)
    now++
    await turn()
  }

  assert.deepEqual(counts, [36, 38, 40, 42])
})

test('each request that ends lets one more be open before the pace', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const queue = new BeginQueue(200, new BeginTurn(() => 0))
  let begun = 0
  const [first, more] = [createStreams(132, () => begun++), 32]
  const page = first.splice(0, more)

  touch(queue, page)
  queue.end()
  for (const _ of page) queue.closed()
  touch(queue, first)
  queue.end()
  await turn()

  // Twice as many as the page had, and the few that the pace lets begin at once.
  assert.equal(begun, more + 2 * more + 4)
})

test('of requests that come with their resets a moment later, a link begins the first few', async (t) => {
  const { client, link } = await startLinkedClient(t)
  const ids = Array.from({ length: 60 }, () => client.nextId())
  const begun = (): number => link.all.filter(({ reads }) => reads > 0).length

  client.send(
    ...ids.map((id) => headersFrame(id, GET, { end: true })),
    ...ids.map((id) => resetFrame(id)),
  )
  await eventually(() => link.all.length === 60 && link.streamCount === 0, 'all resets')
  await client.roundTrip()

  assert.ok(begun() <= 32, `${begun()} have begun`)
})
