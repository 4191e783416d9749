import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NameTable } from '../../src/dns/names.ts'
import { ExchangeError } from '../../src/http/message/errors.ts'
import { Addresses } from '../../src/upstream/connecting/addresses.ts'
import { moreRelevant } from '../../src/upstream/connecting/happy-eyeballs.ts'

const SECOND = 1_000

function resolved(...addresses: readonly string[]): {
  names: NameTable
  server: Addresses
  changes: () => number
} {
  const names = new NameTable()
  let changes = 0
  names.apply([{ name: 'app.test', addresses, failure: null }])
  const server = new Addresses('app.test', names, () => changes++)
  return { names, server, changes: () => changes }
}

test('each connection begins with another address, IPv6 and IPv4 by turns', () => {
  const { server } = resolved('10.0.0.1', '10.0.0.2', '2001:db8::1', '2001:db8::2')

  assert.deepEqual(server.order(0), ['2001:db8::1', '10.0.0.1', '2001:db8::2', '10.0.0.2'])
  assert.deepEqual(server.order(0), ['2001:db8::2', '10.0.0.2', '2001:db8::1', '10.0.0.1'])
  assert.deepEqual(server.order(0)[0], '2001:db8::1')
})

test('where one family has more addresses the rest of it comes last', () => {
  const { server } = resolved('10.0.0.1', '10.0.0.2', '10.0.0.3', '2001:db8::1')

  assert.deepEqual(server.order(0), ['2001:db8::1', '10.0.0.1', '10.0.0.2', '10.0.0.3'])
})

test('an address that failed comes last for ten seconds, or until it is connected', () => {
  const { server } = resolved('10.0.0.1', '10.0.0.2')
  server.failed('10.0.0.1', 0)

  assert.deepEqual(server.order(9 * SECOND), ['10.0.0.2', '10.0.0.1'])
  assert.deepEqual(server.order(9 * SECOND), ['10.0.0.2', '10.0.0.1'])
  assert.deepEqual(server.order(10 * SECOND), ['10.0.0.1', '10.0.0.2'])
  server.order(0)
  server.connected('10.0.0.1')
  assert.deepEqual(server.order(SECOND), ['10.0.0.1', '10.0.0.2'])
})

test('a server that is named by its address, or is a socket, has that one and follows no name', () => {
  for (const host of ['10.0.0.1', '::1', '/run/app.sock']) {
    const names = new NameTable()
    const server = new Addresses(host, names, () => assert.fail('it has changed'))
    names.apply([{ name: host, addresses: ['10.0.0.9'], failure: null }])

    assert.equal(server.only, host)
    assert.equal(server.has(host), true)
  }
})

test('an address that has left the set is no longer the server, and a failure takes none away', () => {
  const { names, server, changes } = resolved('10.0.0.1')
  names.apply([{ name: 'app.test', addresses: ['10.0.0.2'], failure: null }])
  assert.deepEqual([server.has('10.0.0.1'), server.has('10.0.0.2'), changes()], [false, true, 1])

  names.apply([{ name: 'app.test', addresses: [], failure: 'SERVFAIL' }])
  assert.equal(server.only, '10.0.0.2')

  server.close()
  names.apply([{ name: 'app.test', addresses: ['10.0.0.3'], failure: null }])
  assert.deepEqual([server.only, changes()], ['10.0.0.2', 1])
})

test('of addresses that fail, one to which there is no way tells least, and the proxy itself most', () => {
  const of = (code: string): Error => Object.assign(new Error(code), { code })
  const loop = new ExchangeError('LEADS_BACK_TO_PROXY', 'it is the admin')

  for (const code of ['EADDRNOTAVAIL', 'ENETUNREACH', 'EHOSTUNREACH', 'EAFNOSUPPORT']) {
    assert.equal(moreRelevant(of(code), of('ECONNREFUSED')).message, 'ECONNREFUSED')
    assert.equal(moreRelevant(of('ECONNREFUSED'), of(code)).message, 'ECONNREFUSED')
  }
  assert.equal(moreRelevant(of('ECONNREFUSED'), loop), loop)
  assert.equal(moreRelevant(loop, of('ECONNREFUSED')), loop)
})
