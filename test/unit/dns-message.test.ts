import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { readResponse, writeQuery } from '../../src/dns/message.ts'

const NAME = '_http._tcp.vote.test'

/** Of the header, the question, and the records as hex texts without spaces. */
function message(
  counts: readonly [answers: number, authorities: number, additional: number],
  records: readonly string[],
  flags = 0x8180,
): Buffer {
  const head = Buffer.from([
    0x12,
    0x34,
    flags >> 8,
    flags & 255,
    0,
    1,
    0,
    counts[0],
    0,
    counts[1],
    0,
    counts[2],
  ])
  return Buffer.concat([
    head,
    Buffer.from(question),
    ...records.map((one) => Buffer.from(one.replaceAll(' ', ''), 'hex')),
  ])
}

// From RFC 1035 section 4.1.2: 12 bytes are before it.
const question = writeQuery(0x1234, NAME, 'SRV').subarray(12, -11)
const SRV = 'c00c 0021 0001 0000003c 0010 000a 0005 1f90 03 6f6e65 04 74657374 00'.replaceAll(
  ' ',
  '',
)

test('a query is that of RFC 1035, with the size that it can receive (RFC 6891)', () => {
  const query = writeQuery(0x1234, 'a.test', 'SRV')

  assert.equal(
    query.toString('hex'),
    [
      '1234 0100 0001 0000 0000 0001',
      '01 61 04 74657374 00 0021 0001',
      '00 0029 04d0 00000000 0000',
    ]
      .join('')
      .replaceAll(' ', ''),
  )
})

test('reads services, and the addresses of their targets', () => {
  const target = '03 6f6e65 04 74657374 00'
  const reply = message(
    [1, 0, 2],
    [
      SRV,
      `${target} 0001 0001 00000007 0004 0a000001`,
      `${target} 001c 0001 00000008 0010 20010db8000000000000000000000001`,
    ],
  )

  const response = readResponse(reply)

  assert.deepEqual(response, {
    id: 0x1234,
    name: NAME,
    type: 'SRV',
    code: 0,
    isTruncated: false,
    services: [{ priority: 10, weight: 5, port: 8080, target: 'one.test' }],
    addresses: [],
    ttl: 60,
    additional: new Map([
      [
        'one.test',
        [
          { address: '10.0.0.1', ttl: 7 },
          { address: '2001:db8::1', ttl: 8 },
        ],
      ],
    ]),
  })
})

test('follows an alias, and takes no record of another name', () => {
  const alias = 'c00c 0005 0001 00000005 0003 01 78 00'
  const ofAlias = `01 78 00 ${SRV.slice(4)}`
  const stranger = `01 79 00 ${SRV.slice(4)}`

  const response = readResponse(message([3, 0, 0], [alias, ofAlias, stranger]))
  const wrong = readResponse(message([1, 0, 0], [stranger]))

  assert.equal(response?.services.length, 1)
  assert.equal(response.ttl, 5)
  assert.deepEqual(wrong?.services, [])
})

test('follows aliases in any order, and ends a circle', () => {
  const toX = 'c00c 0005 0001 00000009 0003 01 78 00'
  const toY = '01 78 00 0005 0001 00000004 0003 01 79 00'
  const ofY = `01 79 00 ${SRV.slice(4)}`
  const back = '01 78 00 0005 0001 00000004 0002 c00c'

  const response = readResponse(message([3, 0, 0], [ofY, toY, toX]))
  const circle = readResponse(message([2, 0, 0], [toX, back]))

  assert.deepEqual([response?.services.length, response?.ttl], [1, 4])
  assert.deepEqual([circle?.services, circle?.ttl], [[], null])
})

test('a truncated response has no records', () => {
  const response = readResponse(message([1, 0, 0], [SRV], 0x8380))

  assert.deepEqual([response?.isTruncated, response?.services], [true, []])
})

for (const [what, bytes] of [
  ['nothing', Buffer.alloc(0)],
  ['a query', writeQuery(1, NAME, 'SRV')],
  ['records that are not there', message([9, 0, 0], [SRV])],
  ['a name that points at itself', message([1, 0, 0], ['c027 0021 0001 00000000 0000'])],
  ['data beyond the end', message([1, 0, 0], ['c00c 0021 0001 00000000 ffff 0000'])],
  [
    'a name that is too long',
    message([1, 0, 0], [`${`3f${'61'.repeat(63)}`.repeat(5)}00 0021 0001 00000000 0000`]),
  ],
] as const) {
  test(`${what} is no response`, () => {
    assert.equal(readResponse(bytes), null)
  })
}

test('whatever arrives is read or refused', () => {
  const whole = message([1, 0, 1], [SRV, 'c00c 0001 0001 00000007 0004 0a000001'])
  const damaged = fc
    .array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { maxLength: 8 })
    .map((changes) => {
      const bytes = Buffer.from(whole)
      for (const [at, byte] of changes) bytes[at] = byte
      return bytes
    })

  fc.assert(
    fc.property(fc.oneof(damaged, fc.uint8Array({ maxLength: 600 })), (bytes) => {
      const response = readResponse(Buffer.from(bytes))
      if (response !== null) assert.ok(response.services.length <= 1 || bytes.length > 30)
    }),
    { numRuns: 2000 },
  )
})
