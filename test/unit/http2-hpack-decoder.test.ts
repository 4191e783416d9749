/** HPACK decoding: the examples of RFC 7541 appendix C, and each rule of RFC 9113 section 8 about the fields of a head. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  COMPRESSION,
  type HeadKind,
  HeadDecoder,
  MALFORMED,
  OK,
  TOO_LARGE,
} from '../../src/http2/hpack/head-decoder.ts'
import { decodeHuffman, decoded } from '../../src/http2/hpack/huffman.ts'
import { read, readInteger, writeInteger } from '../../src/http2/hpack/primitives.ts'

const LIMITS = { fields: 100, headBytes: 32 * 1024 }

function decoderOf(kind: HeadKind, limits = LIMITS): HeadDecoder {
  return new HeadDecoder(kind, limits)
}

function decode(decoder: HeadDecoder, hex: string, trailers = false): number {
  const bytes = Buffer.from(hex.replaceAll(' ', ''), 'hex')
  return decoder.decode(bytes, 0, bytes.length, trailers)
}

/** A literal field that is not indexed, without Huffman. */
function literal(name: string, value: string): string {
  const bytes = [0, name.length, ...Buffer.from(name, 'latin1'), value.length]
  return Buffer.from([...bytes, ...Buffer.from(value, 'latin1')]).toString('hex')
}

/** `:method GET`, `:scheme https`, `:path /`, `:authority x`. */
const START = '82 87 84 01 01 78'

function faultOf(hex: string): string {
  const decoder = decoderOf('request')
  assert.equal(decode(decoder, hex), MALFORMED, decoder.fields)
  return decoder.fault
}

test('decodes the requests of appendix C.3 and C.4, with and without Huffman', () => {
  const sets = [
    [
      '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
      '8286 84be 5808 6e6f 2d63 6163 6865',
      '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
    ],
    [
      '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
      '8286 84be 5886 a8eb 1064 9cbf',
      '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
    ],
  ]
  for (const blocks of sets) {
    const decoder = decoderOf('request')
    const heads = blocks.map((block) => {
      assert.equal(decode(decoder, block), OK)
      const { method, scheme, path, authority, fields } = decoder
      return [method, scheme, path, authority, fields]
    })

    assert.deepEqual(heads, [
      ['GET', 'http', '/', 'www.example.com', ''],
      ['GET', 'http', '/', 'www.example.com', 'cache-control: no-cache\r\n'],
      ['GET', 'https', '/index.html', 'www.example.com', 'custom-key: custom-value\r\n'],
    ])
  }
})

test('decodes the responses of appendix C.5 and C.6, whose table of 256 bytes evicts', () => {
  const toSize256 = '3fe101'
  const sets = [
    [
      `${toSize256} 4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a
       3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d`,
      '4803 3330 37c1 c0bf',
      `88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a
       6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d
       6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31`,
    ],
    [
      `${toSize256} 4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e
       919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3`,
      '4883 640e ffc1 c0bf',
      `88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d
       d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106
       3d50 07`,
    ],
  ]
  const common =
    'cache-control: private\r\ndate: Mon, 21 Oct 2013 20:13:21 GMT\r\nlocation: https://www.example.com\r\n'
  for (const blocks of sets) {
    const decoder = decoderOf('response')
    const heads = blocks.map((block) => {
      assert.equal(decode(decoder, block.replace(/\s/g, '')), OK)
      assert.ok(decoder.isDated)
      return [decoder.status, decoder.fields]
    })

    assert.deepEqual(heads, [
      [302, common],
      [307, common],
      [
        200,
        common.replace(':21 GMT', ':22 GMT') +
          'content-encoding: gzip\r\nset-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1\r\n',
      ],
    ])
  }
})

test('keeps apart what a proxy treats otherwise', () => {
  const decoder = decoderOf('request')
  const block = [
    START,
    literal('x-a', '1'),
    literal('cookie', 'a=1'),
    literal('x-forwarded-for', '9.9.9.9'),
    literal('content-length', '12'),
    literal('te', 'Trailers'),
    literal('cookie', 'b=2'),
    literal('expect', '100-continue'),
    literal('x_forwarded_proto', 'https'),
    literal('host', 'X'),
    literal('trailer', 'x-sum'),
    literal('proxy-authorization', 'Basic eDp4'),
    literal('x-b', ''),
  ].join('')

  assert.equal(decode(decoder, block), OK)
  assert.deepEqual(
    [decoder.fields, decoder.cookie, decoder.forwarding, decoder.contentLength, decoder.te],
    [
      'x-a: 1\r\nx-b: \r\n',
      'a=1; b=2',
      'x-forwarded-for: 9.9.9.9\r\nx_forwarded_proto: https\r\n',
      12,
      true,
    ],
  )
  assert.deepEqual(
    [decoder.expect, decoder.host, decoder.trailerLine],
    ['100-continue', 'X', 'trailer: x-sum\r\n'],
  )
})

test('names what makes a request malformed', () => {
  const faults: readonly (readonly [string, string])[] = [
    ['87 84 01 01 78', 'there is no :method'],
    ['82 84 01 01 78', 'there is no :scheme'],
    ['82 87 01 01 78', 'there is no :path'],
    ['82 82 87 84 01 01 78', 'there are two :method'],
    [`${START} 84`, 'there are two :path'],
    [`${START}${literal('x', '1')}87`, ':scheme follows other fields'],
    [`${START} 88`, ':status is no pseudo-field of such a message'],
    [START + literal(':x', '1'), ':x is no pseudo-field of such a message'],
    [START + literal('', '1'), 'the name of a field is not a token in lower case'],
    [START + literal('X-a', '1'), 'the name of a field is not a token in lower case'],
    [START + literal('a:b', '1'), 'the name of a field is not a token in lower case'],
    [START + literal('a b', '1'), 'the name of a field is not a token in lower case'],
    [START + literal('a\r\nb', '1'), 'the name of a field is not a token in lower case'],
    ...['a\r\nb: c', '\0', ' a', 'a ', '\ta', 'a\x7f'].map(
      (value) =>
        [
          START + literal('x', value),
          'the value of x holds a control character, or begins or ends blank',
        ] as const,
    ),
    ...['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade'].map(
      (name) => [START + literal(name, 'x'), `${name} is not part of HTTP/2`] as const,
    ),
    [START + literal('te', 'gzip'), 'TE is not "trailers"'],
    [
      START + literal('content-length', '1') + literal('content-length', '1'),
      'there are two Content-Length fields',
    ],
    [
      START + literal('content-length', '+1'),
      'Content-Length is not a plain number of at most 15 digits',
    ],
    [START + literal('host', 'y'), 'Host is not what :authority is'],
    [START + literal('host', 'x') + literal('host', 'x'), 'there are two Host fields'],
    [
      `${literal(':method', 'G T')}8784010178`,
      'the method is not a token of at most 32 characters',
    ],
    [`82${literal(':scheme', 'ftp')}84010178`, ':scheme is neither http nor https'],
    [`8287${literal(':path', 'x')}010178`, ':path is neither "*" nor "/" and visible ASCII'],
    [
      `8287${literal(':path', '/ ')}010178`,
      'the value of :path holds a control character, or begins or ends blank',
    ],
    [`8287${literal(':path', '/a b')}010178`, ':path is neither "*" nor "/" and visible ASCII'],
    [`8287${literal(':path', '/#')}010178`, ':path is neither "*" nor "/" and visible ASCII'],
    [`8287${literal(':path', '')}010178`, ':path is neither "*" nor "/" and visible ASCII'],
    [`8287${literal(':path', '*')}010178`, ':path is "*" without OPTIONS'],
    ['82 87 84 01 00', ':authority is empty'],
    [`${literal(':method', 'CONNECT')}84010178`, 'CONNECT has :scheme or :path'],
    [literal(':method', 'CONNECT'), 'CONNECT has no :authority'],
    [START + literal(':protocol', 'websocket'), ':protocol is not announced by this side'],
  ]
  for (const [block, fault] of faults) assert.equal(faultOf(block.replaceAll(' ', '')), fault)
})

test('takes :protocol from CONNECT where it is announced', () => {
  const decoder = new HeadDecoder('request', LIMITS, true)
  const connect = literal(':method', 'CONNECT') + literal(':protocol', 'websocket')

  assert.equal(decode(decoder, `${connect}8784010178`), OK)
  assert.deepEqual([decoder.method, decoder.protocol], ['CONNECT', 'websocket'])
  assert.equal(decode(decoder, START + literal(':protocol', 'websocket')), MALFORMED)
  assert.equal(decoder.fault, ':protocol is there without CONNECT')
})

test('names what makes a response malformed', () => {
  const faults: readonly (readonly [string, string])[] = [
    [literal('x', '1'), 'there is no :status'],
    ['8889', 'there are two :status'],
    [literal(':status', '101'), ':status is not a status'],
    [literal(':status', '99'), ':status is not a status'],
    [literal(':status', '2000'), ':status is not a status'],
    [`88${literal('upgrade', 'x')}`, 'upgrade is not part of HTTP/2'],
    ['8882', ':method is no pseudo-field of such a message'],
  ]
  for (const [block, fault] of faults) {
    const decoder = decoderOf('response')
    assert.equal(decode(decoder, block), MALFORMED)
    assert.equal(decoder.fault, fault)
  }
})

test('takes every field of trailers, but no pseudo-field', () => {
  const decoder = decoderOf('request')

  assert.equal(decode(decoder, literal('x-sum', '1') + literal('host', 'a'), true), OK)
  assert.equal(decoder.fields, 'x-sum: 1\r\nhost: a\r\n')
  assert.equal(decode(decoder, `82${literal('x-sum', '1')}`, true), MALFORMED)
  assert.equal(decoder.fault, 'trailers hold :method')
})

test('a field of the table stays malformed, and its name serves others', () => {
  const decoder = decoderOf('request')
  const indexed = (name: string, value: string): string => `40${literal(name, value).slice(2)}`

  assert.equal(decode(decoder, START + indexed('x-a', ' 1')), MALFORMED)
  assert.equal(decode(decoder, `${START}be`), MALFORMED)
  // The name of entry 62 with another value.
  assert.equal(decode(decoder, `${START}7e0132`), OK)
  assert.equal(decoder.fields, 'x-a: 2\r\n')
})

test('a block that repeats is the same head, and inserts its fields again', () => {
  const decoder = decoderOf('request')
  const block = '82 87 84 41 01 78 40 03 78 2d 61 01 31'
  const fields = Array.from({ length: 5 }, () => {
    assert.equal(decode(decoder, block), OK)
    return `${decoder.authority} ${decoder.fields}`
  })

  // Entries 62 to 71: the last one is the oldest :authority.
  assert.deepEqual(fields, Array(5).fill('x x-a: 1\r\n'))
  assert.equal(decode(decoder, '82 87 84 c7 c6'), OK)
  assert.equal(`${decoder.authority} ${decoder.fields}`, 'x x-a: 1\r\n')
  assert.equal(decode(decoder, '82 87 84 c8'), COMPRESSION)
})

test('a block that refers to the table changes its meaning with the table', () => {
  const decoder = decoderOf('request')
  decode(decoder, `${START} 40 03 78 2d 61 01 31`)
  const fieldsOf = (block: string): string => {
    assert.equal(decode(decoder, block), OK)
    return decoder.fields
  }
  const again = Array.from({ length: 4 }, () => fieldsOf(`${START} be`))
  fieldsOf(`${START} 40 03 78 2d 62 01 32`)

  assert.deepEqual(again, Array(4).fill('x-a: 1\r\n'))
  assert.equal(fieldsOf(`${START} be`), 'x-b: 2\r\n')
  // It inserts what it refers to: each time another entry is the newest.
  const both = Array.from({ length: 4 }, () => fieldsOf(`${START} bf 40 03 78 2d 63 01 33`))
  assert.deepEqual(both, [
    'x-a: 1\r\nx-c: 3\r\n',
    'x-b: 2\r\nx-c: 3\r\n',
    ...Array<string>(2).fill('x-c: 3\r\nx-c: 3\r\n'),
  ])
})

test('a block that repeats is judged as what it is', () => {
  const decoder = decoderOf('response')
  const block = literal('x-a', '1')

  const asTrailers = Array.from({ length: 4 }, () => decode(decoder, block, true))

  assert.deepEqual(asTrailers, Array(4).fill(OK))
  assert.equal(decode(decoder, block, false), MALFORMED)
  assert.equal(decode(decoder, block, false), MALFORMED)
  assert.equal(decoder.fault, 'there is no :status')
})

test('refuses what cannot be decoded', () => {
  const broken: readonly (readonly [what: string, block: string])[] = [
    ['index 0', '80'],
    ['an index beyond both tables', 'be'],
    ['a name beyond both tables', '7e0131'],
    ['an index that does not end', 'ff80'],
    ['an index that is padded with zeros', 'ff8080808080808000'],
    ['an index of 2^32', 'ff80ffffff0f'],
    ['a string that does not end', '000178ff'],
    ['a value that is missing', '000178'],
    ['a change of the size behind a field', '8220'],
    ['a size above what was announced', '3fe21f'],
    ['Huffman padding of zeros', '000178811e'],
    ['Huffman padding of eight bits', '00017882 1fff'],
    ['EOS in a Huffman string', '00017884 ffffffff'],
    ['EOS and a symbol', '00017885 fffffffc1f'],
  ]
  for (const [what, block] of broken)
    assert.equal(decode(decoderOf('response'), block), COMPRESSION, what)
})

test('takes a change of the size before the first field, twice', () => {
  const decoder = decoderOf('request')

  assert.equal(decode(decoder, `203fe11f${START}`), OK)
  assert.equal(decode(decoder, `20${START}`), OK)
  // Without a table nothing is kept.
  assert.equal(decode(decoder, `${START}40${literal('x', '1').slice(2)}`), OK)
  assert.equal(decode(decoder, `${START}be`), COMPRESSION)
})

test('counts fields, crumbs and bytes, and keeps the table right beyond the limits', () => {
  const limits = { fields: 3, headBytes: 400 }
  const crumb = literal('cookie', 'a')
  const tooMany = decoderOf('request', limits)
  const exact = decoderOf('request', limits)
  const tooLarge = decoderOf('request', limits)
  const large = literal('x', 'y'.repeat(100))

  assert.equal(decode(exact, START + crumb.repeat(3)), OK)
  assert.equal(decode(tooMany, START + crumb.repeat(4)), TOO_LARGE)
  assert.equal(
    decode(tooLarge, `${START}${large}${large}40${literal('x-z', '1').slice(2)}`),
    TOO_LARGE,
  )
  assert.equal(decode(tooLarge, `${START}be`), OK)
  assert.equal(tooLarge.fields, 'x-z: 1\r\n')
  assert.equal(decode(tooMany, literal('x', '1').repeat(4), true), TOO_LARGE)
})

test('a bomb of references is counted and not kept', () => {
  const decoder = decoderOf('request')
  const value = 'v'.repeat(100)
  assert.equal(decode(decoder, `${START}40${literal('x', value).slice(2)}`), OK)

  assert.equal(decode(decoder, START + 'be'.repeat(16_000)), TOO_LARGE)

  assert.ok(decoder.fields.length <= LIMITS.headBytes)
})

test('reads and writes the integers of appendix C.1', () => {
  const out = Buffer.alloc(8)

  assert.equal(writeInteger(out, 0, 0, 31, 10), 1)
  assert.equal(out[0], 10)
  assert.equal(writeInteger(out, 0, 0, 31, 1337), 3)
  assert.deepEqual([...out.subarray(0, 3)], [31, 154, 10])
  assert.equal(readInteger(out, 1, 3, 31), 1337)
  assert.equal(read.end, 3)
})

test('decodes Huffman strings that end at any bit, and grows for long ones', () => {
  // The code of "0" is 00000.
  const long = Buffer.alloc(20_000)
  const length = decodeHuffman(Buffer.from('8cf1e3c2e5f23a6ba0ab90f4ff', 'hex'), 1, 13)

  assert.equal(decoded.bytes.toString('latin1', 0, length), 'www.example.com')
  assert.equal(decodeHuffman(long, 0, 20_000), 32_000)
  assert.equal(decodeHuffman(Buffer.alloc(0), 0, 0), 0)
})

test('names of literals that no hop may index are noted, for their head only', () => {
  const decoder = decoderOf('request')
  const never = (name: string, value: string): string => `10${literal(name, value).slice(2)}`
  const head = `${START} ${never('x-token', 'a')} ${literal('x-plain', 'b')} ${never('x-other', 'c')}`
  const namesOf = (hex: string): readonly string[] | null => {
    assert.equal(decode(decoder, hex), OK, decoder.fault)
    return decoder.neverIndexed === null ? null : [...decoder.neverIndexed]
  }

  // The third one is known as a repeated block.
  for (let round = 0; round < 3; round++) assert.deepEqual(namesOf(head), ['x-token', 'x-other'])
  assert.equal(namesOf(START), null)
  // They are never indexed anyway.
  assert.equal(namesOf(`${START} ${never('cookie', 'a=b')} ${never('authorization', 'x')}`), null)
})
