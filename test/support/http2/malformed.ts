/**
 * Requests that smuggle when a gateway writes them as HTTP/1 unread: each is malformed (RFC 9113 8.1.1), is refused, and
 * nothing of it reaches a server. Tables for the tests of HTTP/2 to HTTP/1 and to HTTP/2.
 */
import type { Field } from '../message.ts'
import { requestFields } from './client.ts'
import { dataFrame, headersFrame } from './frames.ts'
import { block } from './hpack.ts'

export interface MalformedRequest {
  readonly name: string
  readonly frames: readonly Buffer[]
}

const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: smuggled.test\r\n\r\n'
const METHOD: Field = [':method', 'GET']
const SCHEME: Field = [':scheme', 'http']
const PATH: Field = [':path', '/refused']
const AUTHORITY: Field = [':authority', 'a.test']

function exactly(name: string, ...fields: readonly Field[]): MalformedRequest {
  return { name, frames: [headersFrame(1, block(...fields), { end: true })] }
}

function withFields(name: string, ...fields: readonly Field[]): MalformedRequest {
  return exactly(name, METHOD, SCHEME, PATH, AUTHORITY, ...fields)
}

/** A field that is malformed by its name or its value, with a body behind it that reads like a request. */
function field(name: string, fieldName: string, value: string): MalformedRequest {
  const fields = requestFields({ method: 'POST', path: '/refused', fields: [[fieldName, value]] })
  return {
    name,
    frames: [
      headersFrame(1, block(...fields)),
      dataFrame(1, `0\r\n\r\n${SMUGGLED}`, { end: true }),
    ],
  }
}

function pseudo(name: string, pseudoName: string, value: string): MalformedRequest {
  return exactly(
    name,
    ...[METHOD, SCHEME, PATH, AUTHORITY].map(([given, before]): Field => [
      given,
      given === pseudoName ? value : before,
    ]),
  )
}

export const MALFORMED_FIELDS: readonly MalformedRequest[] = [
  field('H2.TE: Transfer-Encoding: chunked', 'transfer-encoding', 'chunked'),
  field('H2.TE: Transfer-Encoding: identity', 'transfer-encoding', 'identity'),
  field('H2.TE: an empty Transfer-Encoding', 'transfer-encoding', ''),
  field('Connection', 'connection', 'transfer-encoding'),
  field('Connection: close', 'connection', 'close'),
  field('Keep-Alive', 'keep-alive', 'timeout=5'),
  field('Proxy-Connection', 'proxy-connection', 'keep-alive'),
  field('Upgrade: h2c', 'upgrade', 'h2c'),
  field('Upgrade: websocket', 'upgrade', 'websocket'),
  field('TE but trailers', 'te', 'gzip'),
  field('TE with trailers and more', 'te', 'trailers, chunked'),
  field('CR LF and a field in a value', 'x-a', 'b\r\nTransfer-Encoding: chunked'),
  field('CR LF CR LF and a request in a value', 'x-a', `b\r\n\r\n${SMUGGLED}`),
  field('LF in a value', 'x-a', 'b\nTransfer-Encoding: chunked'),
  field('CR in a value', 'x-a', 'b\rTransfer-Encoding: chunked'),
  field('NUL in a value', 'x-a', 'b\0c'),
  field('CR at the end of a value', 'x-a', 'b\r'),
  field('LF at the beginning of a value', 'x-a', '\nb'),
  field('a space at the beginning of a value', 'x-a', ' b'),
  field('a tab at the end of a value', 'x-a', 'b\t'),
  field('a value of one space', 'x-a', ' '),
  field('CR LF in a cookie crumb', 'cookie', 'a=b\r\nTransfer-Encoding: chunked'),
  field('CR LF and a field in a name', 'x-a: b\r\ntransfer-encoding', 'chunked'),
  field('a request line in a name', 'x: y\r\n\r\nget /smuggled http/1.1\r\nhost', 'smuggled.test'),
  field('LF in a name', 'x\na', 'b'),
  field('CR in a name', 'x\ra', 'b'),
  field('NUL in a name', 'x\0a', 'b'),
  field('a colon in a name', 'transfer-encoding: chunked, x', 'b'),
  field('a colon at the end of a name', 'transfer-encoding:', 'chunked'),
  field('a space at the end of a name', 'transfer-encoding ', 'chunked'),
  field('a space at the beginning of a name', ' transfer-encoding', 'chunked'),
  field('a space inside a name', 'x a', 'b'),
  field('a tab in a name', 'transfer-encoding\t', 'chunked'),
  field('capitals in a name', 'Transfer-Encoding', 'chunked'),
  field('one capital at the end of a name', 'transfer-encodinG', 'chunked'),
  field('an empty name', '', 'b'),
  field('a byte over 0x7f in a name', 'x-\xe9', 'b'),
  field('DEL in a name', 'x-\x7f', 'b'),
  field('a name that is no token', 'x(a)', 'b'),
  field('a vertical tab in a name', 'transfer-encoding\x0b', 'chunked'),
]

export const MALFORMED_PSEUDO_FIELDS: readonly MalformedRequest[] = [
  pseudo('a request line in :method', ':method', 'GET /smuggled HTTP/1.1\r\nX-A:'),
  pseudo('a space in :method', ':method', 'GET /smuggled'),
  pseudo('a tab in :method', ':method', 'GE\tT'),
  pseudo('NUL in :method', ':method', 'GET\0'),
  pseudo('an empty :method', ':method', ''),
  pseudo('a :method that is no token', ':method', 'GET/'),
  pseudo(
    'a version and a field in :path',
    ':path',
    '/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\nX: ',
  ),
  pseudo('a space in :path', ':path', '/a HTTP/1.1'),
  pseudo('a tab in :path', ':path', '/a\tb'),
  pseudo('LF in :path', ':path', '/a\nb'),
  pseudo('CR at the end of :path', ':path', '/a\r'),
  pseudo('NUL in :path', ':path', '/a\0b'),
  pseudo('a byte over 0x7f in :path', ':path', '/caf\xe9'),
  pseudo('DEL in :path', ':path', '/\x7f'),
  pseudo('a fragment in :path', ':path', '/a#b'),
  pseudo('an empty :path', ':path', ''),
  pseudo('a :path without a slash', ':path', 'refused'),
  pseudo('a :path of a query alone', ':path', '?a=b'),
  pseudo('a :path with another authority', ':path', '@evil.test/'),
  pseudo('an absolute :path', ':path', 'http://evil.test/smuggled'),
  pseudo('a :path of a star without OPTIONS', ':path', '*'),
  pseudo('a :path of a star and more', ':path', '*/refused'),
  pseudo('a host and a path in :scheme', ':scheme', 'http://evil.test/smuggled?'),
  pseudo('CR LF in :scheme', ':scheme', 'http\r\nX-A: b'),
  pseudo('a space in :scheme', ':scheme', 'http '),
  pseudo('an empty :scheme', ':scheme', ''),
  pseudo('a :scheme of another protocol', ':scheme', 'ftp'),
  pseudo('userinfo in :authority', ':authority', 'user@a.test'),
  pseudo('userinfo with a password in :authority', ':authority', 'user:x@a.test'),
  pseudo('an empty :authority', ':authority', ''),
  pseudo('CR LF and a field in :authority', ':authority', 'a.test\r\nTransfer-Encoding: chunked'),
  pseudo('a space in :authority', ':authority', 'a.test b'),
  pseudo('a space at the end of :authority', ':authority', 'a.test '),
  pseudo('NUL in :authority', ':authority', 'a.test\0'),
  pseudo('a path in :authority', ':authority', 'a.test/smuggled'),
  pseudo('a query in :authority', ':authority', 'a.test?x'),
  pseudo('a fragment in :authority', ':authority', 'a.test#x'),
  pseudo('a backslash in :authority', ':authority', 'a.test\\x'),
  pseudo('a list in :authority', ':authority', 'a.test,b.test'),
  pseudo('a scheme in :authority', ':authority', 'http://a.test'),
  pseudo('two ports in :authority', ':authority', 'a.test:80:80'),
  pseudo('a port of letters in :authority', ':authority', 'a.test:http'),
  pseudo('an open bracket in :authority', ':authority', '[::1'),
  pseudo('a byte over 0x7f in :authority', ':authority', 'caf\xe9.test'),
  exactly('two :authority', METHOD, SCHEME, PATH, AUTHORITY, [':authority', 'b.test']),
  exactly('two equal :authority', METHOD, SCHEME, PATH, AUTHORITY, AUTHORITY),
  exactly('two :path', METHOD, SCHEME, PATH, [':path', '/smuggled'], AUTHORITY),
  exactly('two :method', METHOD, [':method', 'POST'], SCHEME, PATH, AUTHORITY),
  exactly('two :scheme', METHOD, SCHEME, [':scheme', 'https'], PATH, AUTHORITY),
  exactly('no :method', SCHEME, PATH, AUTHORITY),
  exactly('no :scheme', METHOD, PATH, AUTHORITY),
  exactly('no :path', METHOD, SCHEME, AUTHORITY),
  exactly('neither :authority nor Host', METHOD, SCHEME, PATH),
  exactly('an unknown pseudo-field', METHOD, SCHEME, PATH, AUTHORITY, [':test', 'a']),
  exactly('a pseudo-field of an empty name', METHOD, SCHEME, PATH, AUTHORITY, [':', 'a']),
  exactly('a pseudo-field with a space', METHOD, SCHEME, [':path ', '/a'], AUTHORITY),
  exactly('a pseudo-field with capitals', METHOD, SCHEME, [':Path', '/a'], AUTHORITY),
  exactly(':status in a request', METHOD, SCHEME, PATH, AUTHORITY, [':status', '200']),
  exactly('a late :path', METHOD, SCHEME, AUTHORITY, ['x-a', 'b'], PATH),
  exactly('a late :authority', METHOD, SCHEME, PATH, ['x-a', 'b'], AUTHORITY),
  exactly('a late second :authority', METHOD, SCHEME, PATH, AUTHORITY, ['x-a', 'b'], AUTHORITY),
  exactly(':protocol without CONNECT', METHOD, SCHEME, PATH, AUTHORITY, [':protocol', 'websocket']),
  exactly(':protocol that was not offered', [':method', 'CONNECT'], SCHEME, PATH, AUTHORITY, [
    ':protocol',
    'websocket',
  ]),
  exactly('CONNECT with :path', [':method', 'CONNECT'], SCHEME, PATH, AUTHORITY),
  exactly('CONNECT without :authority', [':method', 'CONNECT'], ['host', 'a.test']),
]

export const MALFORMED_HOSTS: readonly MalformedRequest[] = [
  withFields('a Host unlike :authority', ['host', 'b.test']),
  withFields('a Host with another port than :authority', ['host', 'a.test:81']),
  withFields('two Hosts', ['host', 'a.test'], ['host', 'a.test']),
  withFields('two Hosts, the second unlike :authority', ['host', 'a.test'], ['host', 'b.test']),
  withFields('an empty Host beside :authority', ['host', '']),
  exactly(
    'two Hosts without :authority',
    METHOD,
    SCHEME,
    PATH,
    ['host', 'a.test'],
    ['host', 'a.test'],
  ),
  exactly('a Host with userinfo', METHOD, SCHEME, PATH, ['host', 'user@a.test']),
  exactly('a Host that is a list', METHOD, SCHEME, PATH, ['host', 'a.test, b.test']),
  exactly('a Host with a path', METHOD, SCHEME, PATH, ['host', 'a.test/smuggled']),
  exactly('an empty Host', METHOD, SCHEME, PATH, ['host', '']),
]

/** A body that is at odds with its length: `lengths` are the fields. */
function length(
  name: string,
  lengths: readonly string[],
  ...frames: readonly Buffer[]
): MalformedRequest {
  const fields = lengths.map((value): Field => ['content-length', value])
  const head = block(...requestFields({ method: 'POST', path: '/refused', fields }))
  return { name, frames: [headersFrame(1, head, { end: frames.length === 0 }), ...frames] }
}

const BODY = dataFrame(1, 'hello', { end: true })

/** Refused before anything of the head goes on. */
export const MALFORMED_LENGTHS: readonly MalformedRequest[] = [
  length('two lengths', ['5', '6'], BODY),
  length('two equal lengths', ['5', '5'], BODY),
  length('a list of lengths', ['5, 5'], BODY),
  length('a list without a space', ['5,5'], BODY),
  length('a signed length', ['+5'], BODY),
  length('a negative length', ['-5'], BODY),
  length('an empty length', [''], BODY),
  length('a length in hex', ['0x5'], BODY),
  length('a length with a space inside', ['0 5'], BODY),
  length('a length of letters', ['five'], BODY),
  length('a length that no number holds', ['99999999999999999999'], BODY),
  length('a length without DATA', ['5']),
]

const TRAILERS: readonly (readonly [name: string, fields: readonly Field[]])[] = [
  ['trailers without END_STREAM', [['x-trailer', 'a']]],
  ['a pseudo-field in trailers', [[':path', '/smuggled']]],
  [
    'a pseudo-field behind a trailer',
    [
      ['x-trailer', 'a'],
      [':method', 'GET'],
    ],
  ],
  ['Transfer-Encoding in trailers', [['transfer-encoding', 'chunked']]],
  ['Connection in trailers', [['connection', 'close']]],
  ['CR LF in a trailer', [['x-trailer', `a\r\n\r\n${SMUGGLED}`]]],
  ['CR LF in the name of a trailer', [['x: a\r\n\r\nget /smuggled http/1.1\r\nhost', 'b']]],
  ['capitals in the name of a trailer', [['X-Trailer', 'a']]],
]

/** The head may go on, the request never becomes whole at the server. */
export const MALFORMED_BODIES: readonly MalformedRequest[] = [
  length('H2.CL: a length of 0 and DATA', ['0'], dataFrame(1, SMUGGLED, { end: true })),
  length(
    'H2.CL: DATA longer than the length',
    ['3'],
    dataFrame(1, `abc${SMUGGLED}`, { end: true }),
  ),
  length('H2.CL: DATA longer than the length, and more', ['3'], dataFrame(1, `abcd`), BODY),
  length('a second DATA beyond the length', ['7'], dataFrame(1, 'hello'), BODY),
  length('DATA shorter than the length', ['10'], BODY),
  length('an empty DATA for a length', ['10'], dataFrame(1, '', { end: true })),
  length(
    'padding that makes up for a length',
    ['10'],
    dataFrame(1, 'hello', { end: true, padding: 5 }),
  ),
  length(
    'trailers before the end of the length',
    ['10'],
    dataFrame(1, 'hello'),
    headersFrame(1, block(['x-trailer', 'a']), { end: true }),
  ),
  ...TRAILERS.map(([name, fields]) => {
    const end = name !== 'trailers without END_STREAM'
    return length(name, [], dataFrame(1, 'hello'), headersFrame(1, block(...fields), { end }))
  }),
]
