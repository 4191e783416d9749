import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatIp } from '../../src/model/ip.ts'
import { crc32c } from '../../src/http/proxy-protocol/crc32c.ts'
import { beginsAsHeader, SIGNATURE } from '../../src/http/proxy-protocol/header.ts'
import { readProxyHeader } from '../../src/http/proxy-protocol/read-header.ts'
import { writeProxyHeader } from '../../src/http/proxy-protocol/write-header.ts'

const NONE = { source: null, destination: null }

function text(line: string): Buffer {
  return Buffer.from(line, 'latin1')
}

/** Of version 2, from hex after the signature. */
function binary(...parts: string[]): Buffer {
  return Buffer.concat([SIGNATURE, Buffer.from(parts.join('').replaceAll(' ', ''), 'hex')])
}

function refused(bytes: Buffer): string {
  const read = readProxyHeader(bytes)
  assert.ok(typeof read === 'object' && 'refused' in read, `not refused: ${JSON.stringify(read)}`)
  return read.refused
}

function read(bytes: Buffer): object {
  const header = readProxyHeader(bytes)
  assert.ok(typeof header === 'object' && 'length' in header, JSON.stringify(header))
  const { length, ...addresses } = header
  assert.equal(length, bytes.length)
  return addresses
}

// Version 1.

test('reads a line with the addresses and ports of both ends', () => {
  assert.deepEqual(read(text('PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n')), {
    source: { host: '192.0.2.1', port: 56324 },
    destination: { host: '198.51.100.2', port: 443 },
  })
  assert.deepEqual(read(text('PROXY TCP6 2001:DB8::1 2001:db8:0::2 0 65535\r\n')), {
    source: { host: '2001:db8::1', port: 0 },
    destination: { host: '2001:db8::2', port: 65535 },
  })
})

test('reads an IPv4-mapped address as IPv4', () => {
  assert.deepEqual(read(text('PROXY TCP6 ::ffff:192.0.2.1 ::ffff:c633:6402 1 2\r\n')), {
    source: { host: '192.0.2.1', port: 1 },
    destination: { host: '198.51.100.2', port: 2 },
  })
})

test("reads the lines of nginx, which have the client's family also if the destination's is another", () => {
  assert.deepEqual(read(text('PROXY TCP6 2001:db8::1 192.0.2.1 51512 22\r\n')), {
    source: { host: '2001:db8::1', port: 51512 },
    destination: { host: '192.0.2.1', port: 22 },
  })
  assert.deepEqual(read(text('PROXY TCP4 192.0.2.1 2001:db8::1 51512 22\r\n')), {
    source: { host: '192.0.2.1', port: 51512 },
    destination: { host: '2001:db8::1', port: 22 },
  })
})

test('an UNKNOWN line has no addresses, also if it contains some', () => {
  const longest = `PROXY UNKNOWN ${'f'.repeat(107 - 16)}\r\n`

  assert.deepEqual(read(text('PROXY UNKNOWN\r\n')), NONE)
  assert.deepEqual(read(text('PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n')), NONE)
  assert.equal(longest.length, 107)
  assert.deepEqual(read(text(longest)), NONE)
})

test('refuses lines that are not canonical', () => {
  for (const line of [
    'PROXY TCP4 192.0.2.1 198.51.100.2 56324 0443\r\n',
    'PROXY TCP4 192.0.2.1 198.51.100.2 56324 65536\r\n',
    'PROXY TCP4 192.0.2.1 198.51.100.2 56324 +1\r\n',
    'PROXY TCP4 192.0.2.1 198.51.100.2 56324\r\n',
    'PROXY TCP4 192.0.2.1 198.51.100.2 56324 443 \r\n',
    'PROXY TCP4  192.0.2.1 198.51.100.2 56324 443\r\n',
    'PROXY TCP4 192.0.2.1\t198.51.100.2 56324 443\r\n',
    'PROXY TCP4 192.0.02.1 198.51.100.2 1 2\r\n',
    'PROXY TCP4 192.0.2 198.51.100.2 1 2\r\n',
    'PROXY TCP4 2001:db8::1 198.51.100.2 1 2\r\n',
    'PROXY TCP6 192.0.2.1 2001:db8::1 1 2\r\n',
    'PROXY TCP6 fe80::1%eth0 2001:db8::1 1 2\r\n',
    'PROXY TCP6 :::1 2001:db8::1 1 2\r\n',
    'PROXY TCP5 192.0.2.1 198.51.100.2 1 2\r\n',
    'PROXY UDP4 192.0.2.1 198.51.100.2 1 2\r\n',
    'PROXY tcp4 192.0.2.1 198.51.100.2 1 2\r\n',
    'PROXY UNKNOWNS\r\n',
    'PROXY \r\n',
  ])
    assert.match(refused(text(line)), /^begins with a malformed PROXY header: "PROXY /, line)
})

test('refuses a line as soon as it cannot end within 107 bytes, or ends without CRLF', () => {
  const endless = text(`PROXY UNKNOWN ${'f'.repeat(1000)}`)

  assert.equal(readProxyHeader(endless.subarray(0, 106)), 'more')
  assert.match(refused(endless.subarray(0, 107)), /no end within 107 bytes/)
  assert.match(refused(text(`${endless.toString('latin1', 0, 106)}\r`)), /no end within 107 bytes/)
  assert.match(refused(text(`${endless.toString('latin1', 0, 106)}\r\n`)), /no end within 107/)
  assert.match(refused(text('PROXY UNKNOWN\n')), /does not end in CRLF/)
  assert.match(refused(text('PROXY UNKNOWN\rx')), /does not end in CRLF/)
})

test('refuses at its first bytes what is no header', () => {
  assert.equal(refused(text('G')), 'does not begin with a PROXY header')
  assert.equal(refused(text('PO')), 'does not begin with a PROXY header')
  assert.equal(refused(text('proxy ')), 'does not begin with a PROXY header')
  assert.equal(refused(text('\r\n\r\nG')), 'does not begin with a PROXY header')
  assert.equal(refused(Buffer.of(22, 3, 1)), 'does not begin with a PROXY header')
})

// Version 2.

const V4 = 'c0000201 c6336402 dc04 01bb'

test('reads a binary header with the addresses and ports of both ends', () => {
  assert.deepEqual(read(binary('21 11 000c', V4)), {
    source: { host: '192.0.2.1', port: 56324 },
    destination: { host: '198.51.100.2', port: 443 },
  })
  const [one, two] = ['20010db8000000000000000000000001', '00000000000000000000ffffc0000201']
  assert.deepEqual(read(binary('21 21 0024', one, two, '0001 ffff')), {
    source: { host: '2001:db8::1', port: 1 },
    destination: { host: '192.0.2.1', port: 65535 },
  })
})

test('reads the address of a client of datagrams', () => {
  assert.deepEqual(read(binary('21 12 000c', V4)), {
    source: { host: '192.0.2.1', port: 56324 },
    destination: { host: '198.51.100.2', port: 443 },
  })
})

test('a LOCAL header has no addresses: its content is skipped, as that of health checks of AWS', () => {
  assert.deepEqual(read(binary('20 00 0000')), NONE)
  assert.deepEqual(read(binary('20 11 000c', V4)), NONE)
  assert.deepEqual(read(binary('20 ff 0003 ffffff')), NONE)
})

test('unix sockets and unspecified families have no addresses', () => {
  assert.deepEqual(read(binary('21 31 00d8', 'ab'.repeat(216))), NONE)
  assert.deepEqual(read(binary('21 00 0000')), NONE)
  assert.deepEqual(read(binary('21 00 0003 ffffff')), NONE)
})

test('skips extensions, empty ones too', () => {
  const extensions = '04 0000 01 0002 6832 20 000f 01 00000000 21 0007 544c5376312e33 ea 0001 00'
  const length = extensions.replaceAll(' ', '').length / 2

  const bytes = binary('21 11', (12 + length).toString(16).padStart(4, '0'), V4, extensions)

  assert.deepEqual(read(bytes), read(binary('21 11 000c', V4)))
})

test('verifies a checksum', () => {
  assert.equal(crc32c(text('123456789')), 0xe3069283)
  assert.equal(crc32c(text('1234'), text('56789')), 0xe3069283)
  const unsigned = binary('21 11 0016', V4, '03 0004 00000000 04 0000')
  const sum = crc32c(unsigned).toString(16).padStart(8, '0')

  const signed = binary('21 11 0016', V4, '03 0004', sum, '04 0000')
  const changed = Buffer.from(signed)
  changed[19] = 77

  assert.deepEqual(read(signed), read(binary('21 11 000c', V4)))
  assert.match(refused(changed), /^begins with a PROXY header of version 2 that does not match its/)
  assert.match(refused(binary('21 11 0011', V4, '03 0002 0000')), /checksum that is not 4 bytes/)
})

test('refuses binary headers that are malformed or too long', () => {
  assert.match(refused(binary('11')), /an unknown version or command/)
  assert.match(refused(binary('22 11 000c')), /an unknown version or command/)
  assert.match(refused(binary('21 41 0000')), /an unknown address family/)
  assert.match(refused(binary('21 13 000c', V4)), /an unknown address family or protocol/)
  assert.match(refused(binary('21 10 000c', V4)), /an unknown address family or protocol/)
  assert.match(refused(binary('21 01 0000')), /an unknown address family or protocol/)
  assert.match(refused(binary('21 11 000b', V4.slice(0, -2))), /too short for its addresses/)
  assert.match(refused(binary('21 21 000c', V4)), /too short for its addresses/)
  assert.match(refused(binary('21 11 000e', V4, '0400')), /an incomplete extension/)
  assert.match(refused(binary('21 11 0010', V4, '04 0002 00')), /longer than the header/)
  assert.match(refused(binary('21 11 0ff1')), /has 4097 bytes, of at most 4096/)
  assert.equal(readProxyHeader(binary('21 11 0ff0')), 'more')
})

// Both.

const ip = fc
  .oneof(
    fc.array(fc.nat(0xffff), { minLength: 8, maxLength: 8 }),
    fc
      .tuple(fc.nat(0xffff), fc.nat(0xffff))
      .map(([high, low]) => [0, 0, 0, 0, 0, 0xffff, high, low]),
  )
  .map((groups) => formatIp(Uint16Array.from(groups)))
const address = fc.record({ host: ip, port: fc.nat(65_535) }, { noNullPrototype: true })
const version = fc.constantFrom<(1 | 2)[]>(1, 2)

test('reads back what it writes, whole and in no piece before', () => {
  fc.assert(
    fc.property(version, address, address, fc.uint8Array({ maxLength: 9 }), (to, a, b, rest) => {
      const header = writeProxyHeader(to, { source: a, destination: b })
      const bytes = Buffer.concat([header, rest])

      for (let length = 0; length < header.length; length++)
        assert.equal(readProxyHeader(bytes.subarray(0, length)), 'more')
      const addresses = { source: a, destination: b }
      assert.deepEqual(readProxyHeader(bytes), { ...addresses, length: header.length })
    }),
  )
})

test('decides about hostile bytes within its bounds, and never otherwise with more of them', () => {
  const start = fc.oneof(version, fc.constant(null)).map((kind) => {
    if (kind === null) return Buffer.alloc(0)
    const full = writeProxyHeader(kind, {
      source: { host: '192.0.2.1', port: 1 },
      destination: { host: '192.0.2.2', port: 2 },
    })
    return full
  })
  fc.assert(
    fc.property(
      start,
      fc.nat(40),
      fc.uint8Array({ maxLength: 300 }),
      fc.nat(300),
      (base, keep, noise, cut) => {
        const bytes = Buffer.concat([base.subarray(0, keep), noise])

        const early = readProxyHeader(bytes.subarray(0, cut))
        const late = readProxyHeader(bytes)

        if (early !== 'more') assert.deepEqual(late, early)
        const padded = Buffer.concat([bytes, Buffer.alloc(4096)])
        assert.notEqual(readProxyHeader(padded), 'more')
      },
    ),
    { numRuns: 500 },
  )
})

test('writes LOCAL or UNKNOWN for itself and for clients without an address', () => {
  const unix = { source: { host: '', port: 0 }, destination: { host: '192.0.2.2', port: 2 } }

  assert.equal(writeProxyHeader(1).toString(), 'PROXY UNKNOWN\r\n')
  assert.equal(writeProxyHeader(1, unix).toString(), 'PROXY UNKNOWN\r\n')
  assert.deepEqual(writeProxyHeader(2), binary('20 00 0000'))
  assert.deepEqual(writeProxyHeader(2, unix), binary('20 00 0000'))
})

test('writes IPv4-mapped addresses as IPv4, and two families as IPv6', () => {
  const mapped = { host: '::ffff:192.0.2.1', port: 56324 }
  const v4 = { host: '198.51.100.2', port: 443 }
  const v6 = { host: '2001:db8::1', port: 1 }

  const line = writeProxyHeader(1, { source: mapped, destination: v4 })
  const mixed = writeProxyHeader(1, { source: v4, destination: v6 })

  assert.equal(line.toString(), 'PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n')
  assert.equal(mixed.toString(), 'PROXY TCP6 ::ffff:198.51.100.2 2001:db8::1 443 1\r\n')
  assert.deepEqual(
    writeProxyHeader(2, { source: mapped, destination: v4 }),
    binary('21 11 000c', V4),
  )
  assert.deepEqual(
    writeProxyHeader(2, { source: v4, destination: v6 }),
    binary(
      '21 21 0024 00000000000000000000ffffc6336402',
      '20010db8000000000000000000000001 01bb 0001',
    ),
  )
})

test('knows the beginning of a header from that of other protocols', () => {
  assert.equal(beginsAsHeader(text('')), 'more')
  assert.equal(beginsAsHeader(text('P')), 'more')
  assert.equal(beginsAsHeader(text('PROXY')), 'more')
  assert.equal(beginsAsHeader(text('PROXY x')), true)
  assert.equal(beginsAsHeader(text('POST ')), false)
  assert.equal(beginsAsHeader(text('\r\n')), 'more')
  assert.equal(beginsAsHeader(text('\r\n\r\nGET')), false)
  assert.equal(beginsAsHeader(SIGNATURE), true)
})
