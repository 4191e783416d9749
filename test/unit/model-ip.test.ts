import assert from 'node:assert/strict'
import { BlockList, isIPv4, isIPv6 } from 'node:net'
import { test } from 'node:test'
import fc from 'fast-check'
import { denyHost } from '../../src/model/denied-address.ts'
import {
  compileNetworks,
  formatIp,
  isLoopbackHost,
  parseIp,
  parseNetwork,
  plainHost,
} from '../../src/model/ip.ts'

const octet = fc.integer({ min: 0, max: 255 })
const ipv4 = fc.tuple(octet, octet, octet, octet).map((octets) => octets.join('.'))
const ipv6 = fc.ipV6().filter(isIPv6)

/** The spellings of an IPv4 address that sockets, resolvers and people write. */
function spellings(address: string): string[] {
  const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number)
  const high = (a * 256 + b).toString(16)
  const low = (c * 256 + d).toString(16)
  return [
    address,
    `::ffff:${address}`,
    `::FFFF:${address}`,
    `::ffff:${high}:${low}`,
    `0:0:0:0:0:ffff:${address}`,
    `0000:0000:0000:0000:0000:FFFF:${high.padStart(4, '0')}:${low.padStart(4, '0')}`,
    `::ffff:${address}%eth0`,
  ]
}

test('any spelling of an IPv4 address is that address', () => {
  fc.assert(
    fc.property(ipv4, (address) => {
      for (const spelling of spellings(address)) assert.equal(plainHost(spelling), address)
    }),
  )
})

test('an IPv6 address is written as the URL parser writes it, and is the same again', () => {
  fc.assert(
    fc.property(ipv6, (address) => {
      const canonical = plainHost(address)
      const byUrl = new URL(`http://[${address}]`).hostname.slice(1, -1)

      if (!isIPv4(canonical)) assert.equal(canonical, byUrl)
      assert.equal(plainHost(byUrl), canonical)
      assert.deepEqual(parseIp(canonical), parseIp(address))
    }),
  )
})

test('what is no address is none', () => {
  for (const text of ['', 'localhost', '1.2.3', '1.2.3.4.5', '::g', ':::', '1:2', '256.1.1.1']) {
    assert.equal(parseIp(text), null, text)
    assert.equal(plainHost(text), text)
  }
})

test('a block holds what the BlockList of Node says it holds', () => {
  const block = fc.oneof(
    fc.tuple(ipv4, fc.integer({ min: 0, max: 32 })),
    fc.tuple(ipv6, fc.integer({ min: 0, max: 128 })),
  )
  fc.assert(
    fc.property(block, fc.oneof(ipv4, ipv6), ([start, prefix], other) => {
      // Of IPv4 in IPv6 only what Node compares as numbers, too.
      fc.pre(isIPv4(start) === isIPv4(other) && !plainHost(other).includes('.') === !isIPv4(other))
      const list = new BlockList()
      list.addSubnet(start, prefix, isIPv4(start) ? 'ipv4' : 'ipv6')

      for (const address of [start, other]) {
        const expected = list.check(address, isIPv4(address) ? 'ipv4' : 'ipv6')
        assert.equal(compileNetworks([`${start}/${prefix}`])(address), expected, address)
      }
    }),
  )
})

test('a block of IPv4 holds an address in any spelling, and the same block may be written as IPv6', () => {
  for (const block of ['10.0.0.0/8', '::ffff:10.0.0.0/104', '::ffff:a00:0/104']) {
    const holds = compileNetworks([block])
    for (const spelling of spellings('10.1.2.3')) assert.equal(holds(spelling), true, spelling)
    for (const spelling of spellings('11.1.2.3')) assert.equal(holds(spelling), false, spelling)
    assert.equal(holds('::10.1.2.3'), false)
    assert.equal(holds('no address'), false)
  }
})

test('a block with a zone, a wrong length or no address is none', () => {
  for (const text of ['fe80::1%eth0', '10.0.0.0/33', '::/129', '10.0.0.0/', '10.0.0.0/-1', 'a/8']) {
    assert.equal(parseNetwork(text), null, text)
  }
})

test('no spelling of a metadata or link-local address passes, nor one that carries it', () => {
  for (const address of ['169.254.169.254', '169.254.170.2', '100.100.100.200', '0.0.0.0']) {
    const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number)
    const [high, low] = [a * 256 + b, c * 256 + d]
    const hex = (group: number): string => group.toString(16)
    const carried = [
      `64:ff9b::${address}`,
      `64:ff9b::${hex(high)}:${hex(low)}`,
      `64:ff9b:1::${address}`,
      `64:ff9b:1:${hex(high)}:${hex(c)}:${hex(d * 256)}::`,
      `64:ff9b:1:${hex(a)}:${hex(b)}:${hex(low)}::`,
      `64:ff9b:1:0:${hex(a)}:${hex(b * 256 + c)}:${hex(d * 256)}:0`,
      `2002:${hex(high)}:${hex(low)}::1`,
      `2001:0:a00:1:0:0:${hex(high ^ 0xffff)}:${hex(low ^ 0xffff)}`,
      `2001:0:${hex(high)}:${hex(low)}::`,
      `::ffff:0:${address}`,
      `2001:db8::5efe:${address}`,
      `2001:db8::200:5efe:${address}`,
    ]
    for (const spelling of [...spellings(address), ...carried]) {
      assert.notEqual(denyHost(spelling), null, spelling)
    }
  }
  for (const host of [
    ...['fe80::1%eth0', 'FE80::1', 'febf::', '::', '0:0:0:0:0:0:0:0', '::%lo'],
    ...['fd00:ec2::254', 'FD00:0EC2:0:0::254', 'fd00:ec2::23', 'fd20:ce::254', '168.63.129.16'],
    ...['metadata.google.internal', 'metadata.google.internal.', 'Metadata.Goog'],
  ]) {
    assert.notEqual(denyHost(host), null, host)
  }
})

test('what is near to a denied address may be reached', () => {
  for (const address of ['169.253.255.255', '169.255.0.0', '10.0.0.1', '127.0.0.1', '1.0.0.0']) {
    for (const spelling of spellings(address)) assert.equal(denyHost(spelling), null, spelling)
  }
  for (const host of ['::1', 'fec0::1', '64:ff9b::10.0.0.1', '2001:db8::1', 'app.example']) {
    assert.equal(denyHost(host), null, host)
  }
})

test('loopback is 127.0.0.0/8 and ::1 in any spelling, and the names that mean it', () => {
  for (const host of [...spellings('127.9.9.9'), '::1', '0:0::1', 'localhost', 'a.localhost']) {
    assert.equal(isLoopbackHost(host), true, host)
  }
  for (const host of ['128.0.0.1', '::2', '::', 'notlocalhost', '127.example']) {
    assert.equal(isLoopbackHost(host), false, host)
  }
})

test('formats an address by its longest run of zeros, the first of equals', () => {
  for (const [written, canonical] of [
    ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
    ['1:0:0:2:3:0:0:4', '1::2:3:0:0:4'],
    ['1:0:2:3:4:5:6:7', '1:0:2:3:4:5:6:7'],
    ['0:0:0:0:0:0:0:0', '::'],
  ]) {
    const ip = parseIp(written ?? '')
    assert.equal(ip === null ? null : formatIp(ip), canonical)
  }
})
