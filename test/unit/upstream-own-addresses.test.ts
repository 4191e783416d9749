import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OwnAddresses } from '../../src/upstream/connecting/own-addresses.ts'

function ownAt(host: string): OwnAddresses {
  const own = new OwnAddresses()
  own.replace([{ name: 'the admin', host, port: 8182 }])
  return own
}

test('an own address is found at the other end of a connection in any spelling', () => {
  for (const host of ['127.0.0.1', '::ffff:127.0.0.1', '::ffff:7f00:1', '', '::', '0.0.0.0']) {
    for (const remoteAddress of ['127.0.0.1', '::ffff:127.0.0.1', '::ffff:7f00:1']) {
      const found = ownAt(host).find({ remoteAddress, remotePort: 8182 })
      assert.equal(found?.name, 'the admin', `${remoteAddress} at ${host}`)
    }
  }
})

test('the end of a connection to another address, port or family is not our own', () => {
  const own = ownAt('127.0.0.1')

  assert.equal(own.find({ remoteAddress: '127.0.0.2', remotePort: 8182 }), null)
  assert.equal(own.find({ remoteAddress: '127.0.0.1', remotePort: 8183 }), null)
  assert.equal(own.find({ remotePort: 8182 }), null)
  assert.equal(ownAt('0.0.0.0').find({ remoteAddress: '::1', remotePort: 8182 }), null)
})

test('a connection between two spellings of one address is one to ourselves', () => {
  const ends = { remoteAddress: '::ffff:192.0.2.1', remotePort: 8182, localAddress: '192.0.2.1' }

  assert.equal(ownAt('').find(ends)?.name, 'the admin')
})
