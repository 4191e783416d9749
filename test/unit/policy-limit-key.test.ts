import assert from 'node:assert/strict'
import { isIPv6 } from 'node:net'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  compileLimitKey,
  parseLimitKey,
  type LimitKey,
} from '../../src/policy/limiting/limit-key.ts'

test('an IPv4 client is its own key, and an IPv6 client its /64', () => {
  const key = keyOf('client.ip')

  assert.equal(key('192.0.2.7'), '192.0.2.7')
  assert.equal(key('2001:db8::1'), key('2001:DB8:0:0:ffff:1:2:3'))
  assert.notEqual(key('2001:db8::1'), key('2001:db8:0:1::1'))
})

test('the length of IPv6 networks is chosen, also within a group', () => {
  const key = keyOf('client.ip/56')

  assert.equal(key('2001:db8:0:12ab::1'), key('2001:db8:0:12cd::1'))
  assert.notEqual(key('2001:db8:0:12ab::1'), key('2001:db8:0:13ab::1'))
  assert.notEqual(keyOf('client.ip/128')('::1'), keyOf('client.ip/128')('::2'))
  assert.equal(keyOf('client.ip/1')('8000::'), keyOf('client.ip/1')('ffff::'))
})

test('an IPv6 address is the same however it is written', () => {
  const key = keyOf('client.ip/128')

  assert.equal(key('::ffff:192.0.2.7'), key('::ffff:c000:207'))
  assert.equal(key('64:ff9b::192.0.2.7'), key('64:ff9b:0:0:0:0:c000:0207'))
  assert.equal(key('fe80::1%eth0'), key('FE80:0::1'))
  assert.equal(key('1:2:3:4:5:6:7::'), key('1:2:3:4:5:6:7:0'))
  assert.equal(key('::'), key('0:0:0:0:0:0:0:0'))
})

test('any IPv6 address has the network of its full form', () => {
  fc.assert(
    fc.property(fc.ipV6(), fc.integer({ min: 1, max: 128 }), (address, prefix) => {
      fc.pre(isIPv6(address))
      const key = keyOf(`client.ip/${prefix}`)

      assert.equal(key(address), key(fullForm(address)))
    }),
  )
})

test('the host and a header are keys; a header that is missing is the empty one', () => {
  assert.equal(keyOf('request.host')('192.0.2.7'), 'shop.example')
  assert.equal(keyOf('request.header.X-Api-Key')('192.0.2.7'), 'secret')
  assert.equal(keyOf('request.header.X-Other')('192.0.2.7'), '')
})

for (const [text, message] of [
  ['client.port', /must be client\.ip, .* or request\.header\.Name/],
  ['request.header.', /must be client\.ip/],
  ['request.header.a b', /must be client\.ip/],
  ['client.ip/0', /from 1 to 128/],
  ['client.ip/129', /from 1 to 128/],
  ['client.ip/-1', /must be client\.ip/],
  ['', /must be client\.ip/],
] as const) {
  test(`"${text}" is refused`, () => {
    const parsed = parseLimitKey(text)

    assert.match(parsed.ok ? '' : parsed.message, message)
  })
}

function keyOf(text: string): (clientIp: string) => string {
  const read = compileLimitKey(parsed(text))
  const fields: Readonly<Record<string, string>> = { 'x-api-key': 'secret' }
  return (clientIp) => read({ clientIp, host: 'shop.example', field: (name) => fields[name] })
}

function parsed(text: string): LimitKey {
  const answer = parseLimitKey(text)
  if (!answer.ok) throw new Error(answer.message)
  return answer.variable
}

/** All eight groups, as the URL parser of Node reads them. */
function fullForm(address: string): string {
  const { hostname } = new URL(`http://[${address}]/`)
  const [left = '', right] = hostname.slice(1, -1).split('::')
  const before = left === '' ? [] : left.split(':')
  const after = right === undefined || right === '' ? [] : right.split(':')
  const zeros = Array<string>(8 - before.length - after.length).fill('0')
  return [...before, ...zeros, ...after].join(':')
}
