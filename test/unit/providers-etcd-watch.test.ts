import assert from 'node:assert/strict'
import { Duplex } from 'node:stream'
import { test } from 'node:test'
import type { WatchEvent, WatchResponse } from '../../src/providers/etcd/messages.ts'
import { createKeyPrefix } from '../../src/providers/etcd/key-prefix.ts'
import type { Session, WatchStream } from '../../src/providers/etcd/session.ts'
import { watchKeys } from '../../src/providers/etcd/watch.ts'
import { eventually } from '../support/until.ts'

const header = { cluster_id: '1', revision: '9' }

function put(revision: number): WatchEvent {
  const key = Buffer.from(`/sluice/${revision}`)
  const mod_revision = String(revision)
  const kv = { key, value: Buffer.from('1'), create_revision: '1', mod_revision, lease: '0' }
  return { type: 0, kv }
}

test('revisions in fragments are told as soon as they are whole, and none is told in parts', async () => {
  const stream = new Duplex({
    objectMode: true,
    read() {},
    // What the watcher asks.
    write(_request, _encoding, done) {
      send(true, 10, 11, 12)
      send(true, 12)
      send(true, 12, 13)
      send(false, 13, 14)
      send(false, 15)
      done()
    },
  })
  const session: Session = {
    endpoint: 'fake',
    call: () => Promise.reject(new Error('not asked for')),
    openWatch: () => Promise.resolve(stream as unknown as WatchStream),
    openStream: () => Promise.reject(new Error('not asked for')),
    close() {},
  }
  const told: string[] = []
  const send = (fragment: boolean, ...revisions: number[]): void => {
    const response: WatchResponse = {
      ...{ header, created: false, canceled: false, compact_revision: '0', cancel_reason: '' },
      ...{ fragment, events: revisions.map(put) },
    }
    stream.push(response)
  }

  watchKeys(session, createKeyPrefix('/sluice'), header, {
    onEvents: (events) => told.push(events.map(({ kv }) => kv.mod_revision).join()),
    onEnd: (error) => told.push(error.message),
  })

  await eventually(() => told.includes('15'), 'the last revision')
  stream.destroy()

  assert.deepEqual(told, ['10,11', '12,12,12', '13,13,14', '15'])
})
