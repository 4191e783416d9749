/** What a server that is not ZooKeeper, or lies, does to a source: a clear error, in time and in bounded memory. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { OP } from '../../src/providers/zookeeper/client/protocol.ts'
import { createZookeeperProvider } from '../../src/providers/zookeeper/zookeeper-provider.ts'
import {
  eventOf,
  listOf,
  nodeOf,
  replyTo,
  sessionOf,
  startFakeZookeeper,
  toFrame,
  type Answer,
  type FakeRequest,
} from '../support/fake-zookeeper.ts'
import { createLayout } from '../support/layouts.ts'
import { zookeeperSource } from '../support/zookeeper-source.ts'
import { watchRegistry, type RegistryWatch } from './registry-watch.ts'

const layout = createLayout('sluice', { sealKey: null })
const NO_NODE = -101

async function watchFake(t: TestContext, answer: Answer, session?: Buffer): Promise<RegistryWatch> {
  const endpoint = await startFakeZookeeper(t, answer, session)
  return watchRegistry(t, createZookeeperProvider(zookeeperSource([endpoint]), layout))
}

/** An empty registry. */
function usual(request: FakeRequest): Buffer {
  if (request.op === OP.ping) return replyTo({ xid: -2 }, 0)
  const isRead = [OP.exists, OP.getData, OP.getChildren].some((op) => op === request.op)
  return replyTo(request, isRead ? NO_NODE : 0)
}

const huge = Buffer.alloc(4)
huge.writeInt32BE(0x7fff_ffff)

const sessions: Readonly<Record<string, readonly [Buffer, RegExp]>> = {
  'another protocol': [Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'), /not ZooKeeper/],
  'a negative length': [Buffer.alloc(4, 0xff), /a message of -1 bytes, so it is not ZooKeeper/],
  'a huge length': [huge, /a message of 2147483647 bytes, so it is not ZooKeeper/],
  'a short frame': [toFrame(Buffer.alloc(3)), /ends after 3 bytes/],
  'a session that has expired': [toFrame(sessionOf(0)), /the server begins no session/],
}

for (const [what, [bytes, reason]] of Object.entries(sessions)) {
  test(`a server that begins with ${what} is refused, by its address`, async (t) => {
    const watch = await watchFake(t, usual, bytes)

    await assert.rejects(watch.next(), (error: Error) => {
      assert.match(error.message, /^ZooKeeper 127\.0\.0\.1:\d+: cannot connect: /)
      assert.match(error.message, reason)
      return true
    })
  })
}

const many = listOf(Array.from({ length: 5_000 }, (_, i) => `${i}`.padEnd(99, 'x')))

const answers: Readonly<Record<string, readonly [Answer, RegExp]>> = {
  'with another number': [
    (request) => replyTo({ xid: request.xid + 1 }, 0),
    /responds to request 2, which is not the next/,
  ],
  'with a frame that is cut off': [
    (request) => (request.op === OP.getChildren ? replyTo(request, 0) : usual(request)),
    /the response to "list .*" cannot be read: it ends after 16 bytes/,
  ],
  'with a list that is longer than its frame': [
    (request) => (request.op === OP.getChildren ? replyTo(request, 0, huge) : usual(request)),
    /cannot be read: a list has 2147483647 elements/,
  ],
  'with an error that does not exist': [
    (request) => (request.op === OP.exists ? replyTo(request, -9_999) : usual(request)),
    /cannot look for "\/sluice": error -9999/,
  ],
  'with children without end': [
    (request) => (request.op === OP.getChildren ? replyTo(request, 0, many) : usual(request)),
    /too many znodes below it: 1,000,000, or 64 MiB of paths/,
  ],
  'with silence, beside endless events': [
    (request, socket) => {
      if (request.op !== OP.exists) return usual(request)
      const timer = setInterval(() => socket.write(eventOf(1, `/sluice/${Math.random()}`)), 5)
      socket.once('close', () => clearInterval(timer))
      return null
    },
    /the connection was lost: no response in time/,
  ],
}

for (const [what, [answer, reason]] of Object.entries(answers)) {
  test(`a server that answers ${what} ends the watch`, async (t) => {
    const watch = await watchFake(t, answer)

    await assert.rejects(watch.next(), reason)
  })
}

test('a server that closes the connection before it is read is passed over for the next', async (t) => {
  const leaving = await startFakeZookeeper(t, (request, socket) => {
    if (request.op === OP.sync) socket.destroy()
    return request.op === OP.sync ? null : usual(request)
  })
  const staying = await startFakeZookeeper(t, usual)
  const spec = zookeeperSource([leaving, staying])
  const provider = createZookeeperProvider(spec, layout, { random: () => 0 })
  const watch = watchRegistry(t, provider)
  const first = await watch.next()

  provider.reload()
  const second = await watch.next()

  assert.deepEqual([first.listed, second.listed], ['first', 'asked'])
})

test('a znode that is longer than a message may be is set aside alone', async (t) => {
  const length = 17 << 20
  const watch = await watchFake(t, (request) => {
    const children: Readonly<Record<string, readonly string[]>> = {
      '/sluice': ['listeners'],
      '/sluice/listeners': ['good', 'long'],
    }
    const names = children[request.path]
    if (request.op === OP.getChildren && names !== undefined) {
      return replyTo(request, 0, listOf(names))
    }
    if (request.op !== OP.getData) return usual(request)
    const isLong = request.path.endsWith('long')
    return replyTo(request, 0, nodeOf(isLong ? Buffer.alloc(length) : Buffer.from('{}')))
  })

  await watch.next()

  assert.equal(watch.objects().get('listener long')?.fault, 'is too long to be read')
  assert.deepEqual(watch.objects().get('listener good')?.value, {})
})

test('events of no znode, of no type, and in masses change nothing that was not read', async (t) => {
  const watch = await watchFake(t, (request, socket) => {
    if (request.op === OP.exists) {
      for (const path of ['', '/', '/other', '/sluice//', `/sluice/${'x'.repeat(9_000)}`]) {
        for (const type of [-2, 1, 2, 3, 4, 5, 99]) socket.write(eventOf(type, path))
      }
      for (let i = 0; i < 6_000; i++) socket.write(eventOf(1, `/sluice/listeners/${i}`))
    }
    return usual(request)
  })

  await watch.next()
  const listed = await watch.until(() => true, 'a list in place of the events')

  assert.equal(listed.listed, 'many')
  assert.equal(watch.objects().size, 0)
})
