/**
 * Cases for the fuzz, each from one number: a well-formed message is made, and then faults are put where parsers are known to
 * differ. Pure: a seed that failed once can be looked at again at any time.
 */
import { createChance, type Chance } from './random.ts'

export interface RequestCase {
  readonly seed: number
  /** The bytes, latin1, in the pieces in which they are sent. */
  readonly pieces: readonly string[]
  /** Nothing was changed: it must be accepted. */
  readonly isWellFormed: boolean
}

export interface ResponseCase {
  readonly seed: number
  readonly method: string
  readonly pieces: readonly string[]
  /** How the server ends the connection behind the bytes. */
  readonly end: 'fin' | 'reset'
  readonly isWellFormed: boolean
}

const METHODS = ['GET', 'GET', 'POST', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']
const TARGETS = ['/', '/a', '/a/b?c=d', '/%7e', '/a;b=c', '/?x=%2f', 'http://a.test/abs', '/*']
const FIELDS = [
  ...['Accept: */*', 'X-A: b', 'x-a: c', 'Cookie: a=b', 'X-Obs: \xe9\xff', 'User-Agent: f/1'],
  ...['Connection: keep-alive', 'X-Empty:', 'X-Tab: a\tb', 'Expect: 100-continue', 'TE: trailers'],
]
const ANSWER_FIELDS = [
  ...[
    'Server: t',
    'Set-Cookie: a=b',
    'set-cookie: c=d',
    'X-Obs: \xe9\xff',
    'X-Empty:',
    'ETag: "x"',
  ],
  ...['Connection: keep-alive', 'Vary: *', 'X-Tab: a\tb', 'Content-Type: text/plain'],
]
const BODIES = [
  '',
  'x',
  'hello',
  'a=b&c=d',
  '0\r\n\r\n',
  'GET /in HTTP/1.1\r\nHost: in\r\n\r\n',
  '\r\n',
  '5\r\n',
]
const STATUSES = [
  '200 OK',
  '200 OK',
  '200 OK',
  '201 Created',
  '204 No Content',
  '304 Not Modified',
  '404 Not Found',
  '500 No',
  '302 ',
  '299 Odd',
  '777 Odd',
]
const ODD_LINES = [
  ...['Content-Length: 5', 'Content-Length: 0', 'Content-Length: +5', 'Content-Length: 5, 5'],
  ...['Content-Length : 5', 'Content-Length: 0x5', 'Content-Length:', 'Content-Length: 5 5'],
  ...['Content-Length: 99999999999999999999', 'Content-Length: -1', 'Content-Length: 00005'],
  ...['Content_Length: 5', 'content-length:\t5', 'Content-Length: 5\x0b', 'Content-Length: \xa05'],
  ...['Transfer-Encoding: chunked', 'transfer-encoding: CHUNKED', 'Transfer-Encoding: identity'],
  ...[
    'Transfer-Encoding: gzip, chunked',
    'Transfer-Encoding: chunked, chunked',
    'Transfer-Encoding:',
  ],
  ...['Transfer-Encoding : chunked', 'Transfer-Encoding: xchunked', 'Transfer-Encoding: "chunked"'],
  ...[
    'Transfer-Encoding: chunked,',
    'Transfer-Encoding: \x0bchunked',
    'Transfer-Encoding:\tchunked',
  ],
  ...['Transfer-Encoding\0: chunked', 'Transfer_Encoding: chunked', 'Transfer-Encoding: chunked;a'],
  ...[
    ' folded',
    '\tfolded',
    ':',
    ': x',
    'no colon',
    'X-A : b',
    'X\x01: b',
    'X-\xe9: b',
    'X-Nul: a\0b',
  ],
  ...[
    'X-Cr: a\rb',
    'X-Lf: a\nb',
    'X-Cr: a\rContent-Length: 5',
    'X-Lf: a\nTransfer-Encoding: chunked',
  ],
  ...['Host: a.test', 'Host: b.test', 'Host:', 'Host: a,b', 'Host: a@b', 'Connection: close'],
  ...['Connection: Content-Length', 'Connection: Transfer-Encoding, Host', 'Upgrade: h2c'],
  ...['Connection: Upgrade', 'Upgrade: websocket', 'HTTP2-Settings: AA', 'Expect: 200-ok'],
  ...['Trailer: X-A', 'X-Del: \x7f', 'Keep-Alive: timeout=1', `X-Long: ${'v'.repeat(3_000)}`],
]
const ODD_SIZES = [
  ...[
    '0x5',
    '+5',
    '-5',
    '5 ;a',
    ' 5',
    '5 ',
    '05',
    '0005',
    '5;a',
    '5;a=b',
    '5;a="\r"',
    '5;a\n',
    '5\0',
    '5_',
    '',
  ],
  ...[
    'fffffffffffffffff',
    '10000000000000005',
    '000000000000005',
    '5;' + 'e'.repeat(400),
    'g',
    '5\r',
    '5\t',
  ],
]
const ENDS = ['\n', '\r', '\r\r\n', '\n\r', '\r\n\r\n', '', ' \r\n', '\x0b\r\n']
const SPECIAL = [
  '\r',
  '\n',
  '\r\n',
  '\0',
  ' ',
  '\t',
  ':',
  ',',
  ';',
  '\x0b',
  '\x7f',
  '\x80',
  '\xff',
  '"',
  '0',
  '\x1b',
]
const ODD_STARTS = [
  ...[
    'get / HTTP/1.1',
    'GET  / HTTP/1.1',
    'GET /',
    'GET / HTTP/1.0',
    'GET / HTTP/0.9',
    'GET / HTTP/2.0',
  ],
  ...['GET / HTTP/1.2', ' GET / HTTP/1.1', 'GET * HTTP/1.1', 'GET a HTTP/1.1', 'GET //a HTTP/1.1'],
  ...['GET /../a HTTP/1.1', 'GET /a#b HTTP/1.1', 'GET /\xe9 HTTP/1.1', 'CONNECT a:1 HTTP/1.1'],
  ...['OPTIONS * HTTP/1.1', 'FOO / HTTP/1.1', 'GET http://b.test/ HTTP/1.1', 'GET / HTTP/1.1 '],
  ...['GET\t/ HTTP/1.1', 'GET / http/1.1', 'GET /%2f HTTP/1.1', 'G(T / HTTP/1.1', 'PRI * HTTP/2.0'],
  ...[
    'GET /\\a HTTP/1.1',
    'GET /"<>^`{|} HTTP/1.1',
    'POST / HTTP/1.0',
    'GET ?a HTTP/1.1',
    '\r\nGET / HTTP/1.1',
  ],
]
const ODD_STATUS_LINES = [
  ...[
    'HTTP/1.0 200 OK',
    'HTTP/1.1 200',
    'HTTP/1.1 99 x',
    'HTTP/1.1 600 x',
    'HTTP/1.1 0200 x',
    'HTTP/2.0 200 OK',
  ],
  ...[
    'HTTP/1.1  200 OK',
    'http/1.1 200 OK',
    'ICY 200 OK',
    'HTTP/1.1 20 OK',
    'HTTP/1.1 2000 OK',
    'HTTP/1.1 200OK',
  ],
  ...[
    'HTTP/1.1 101 Up',
    'HTTP/1.1 100 Go',
    'HTTP/1.1 205 Reset',
    'HTTP/1.1 103 Hints',
    ' HTTP/1.1 200 OK',
  ],
  ...[
    'HTTP/1.1 200 a\0b',
    'HTTP/1.1 200 a\rb',
    'HTTP/1.1\t200 OK',
    'HTTP/1.2 200 OK',
    '\r\nHTTP/1.1 200 OK',
  ],
  ...['HTTP/1.1 200 \xe9', 'HTTP/1.1 2x0 OK', 'HTTP/1.1 -20 OK'],
]

/** A message in the parts at which faults are put. */
interface Draft {
  start: string
  lines: string[]
  /** null: no body is announced. */
  framing: 'length' | 'chunked' | 'none'
  body: string
  chunks: { size: string; data: string; end: string }[]
  last: string
  lineEnd: string
}

export function requestCase(seed: number): RequestCase {
  const chance = createChance(seed)
  const count = 1 + (chance.once(3) ? chance.below(3) : 0)
  const wellFormed = chance.once(5)
  let bytes = ''
  for (let i = 0; i < count; i++) {
    const method = chance.pick(METHODS)
    const target = chance.pick(TARGETS)
    const draft = draftMessage(chance, `${method} ${target} HTTP/1.1`, FIELDS)
    draft.lines.splice(chance.below(draft.lines.length + 1), 0, 'Host: a.test')
    if (!wellFormed) for (let n = 1 + chance.below(2); n > 0; n--) spoil(chance, draft, ODD_STARTS)
    bytes += write(draft)
  }
  if (!wellFormed) bytes = damage(chance, bytes)
  return { seed, pieces: cut(chance, bytes), isWellFormed: wellFormed }
}

export function responseCase(seed: number): ResponseCase {
  const chance = createChance(seed)
  const wellFormed = chance.once(5)
  const method = chance.once(6) ? 'HEAD' : 'GET'
  const status = chance.pick(STATUSES)
  const draft = draftMessage(chance, `HTTP/1.1 ${status}`, ANSWER_FIELDS)
  if (/^(204|304)/.test(status) || method === 'HEAD')
    Object.assign(draft, { body: '', chunks: [], last: '' })
  if (/^204/.test(status)) draft.framing = 'none'
  if (!wellFormed)
    for (let n = 1 + chance.below(2); n > 0; n--) spoil(chance, draft, ODD_STATUS_LINES)
  let bytes = write(draft)
  if (chance.once(8)) bytes = `HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n${bytes}`
  if (!wellFormed && chance.once(8)) bytes += 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil'
  if (!wellFormed) bytes = damage(chance, bytes)
  return {
    seed,
    method,
    pieces: cut(chance, bytes),
    end: !wellFormed && chance.once(4) ? 'reset' : 'fin',
    isWellFormed: wellFormed,
  }
}

function draftMessage(chance: Chance, start: string, fields: readonly string[]): Draft {
  const framing = chance.pick(['length', 'chunked', 'none'] as const)
  const body = framing === 'none' ? '' : chance.pick(BODIES) + chance.pick(BODIES)
  // Each once: two expectations are a list that nobody knows.
  const lines = [...new Set(Array.from({ length: chance.below(5) }, () => chance.pick(fields)))]
  const chunks: Draft['chunks'] = []
  for (let at = 0; at < body.length;) {
    const data = body.slice(at, at + 1 + chance.below(8))
    chunks.push({ size: data.length.toString(16), data, end: '\r\n' })
    at += data.length
  }
  return { start, lines, framing, body, chunks, last: '0\r\n\r\n', lineEnd: '\r\n' }
}

/** One fault in the structure. */
function spoil(chance: Chance, draft: Draft, starts: readonly string[]): void {
  const place = (): number => chance.below(draft.lines.length + 1)
  const chunk = draft.chunks[chance.below(Math.max(1, draft.chunks.length))]
  switch (chance.below(12)) {
    case 0:
      draft.start = chance.pick(starts)
      return
    case 1:
    case 2:
    case 3:
    case 4:
      draft.lines.splice(place(), 0, chance.pick(ODD_LINES))
      return
    case 5:
      draft.lines = draft.lines.filter(() => !chance.once(2))
      return
    case 6:
      draft.lineEnd = chance.once(4) ? chance.pick(ENDS) : draft.lineEnd
      draft.last = chance.pick([
        '0\n\n',
        '0\r\n\n',
        '0\r\nX-T: a\r\n\r\n',
        '0;x\r\n\r\n',
        '00\r\n\r\n',
        '0\r\n',
        '',
      ])
      return
    case 7:
      draft.last = `0\r\n${chance.pick(ODD_LINES)}\r\n\r\n`
      return
    case 8:
      if (chunk !== undefined) chunk.size = chance.pick(ODD_SIZES)
      return
    case 9:
      if (chunk !== undefined) chunk.end = chance.pick(ENDS)
      return
    case 10:
      draft.lines.push(...Array.from({ length: 90 + chance.below(30) }, (_, i) => `X-${i}: v`))
      return
    default:
      draft.body = draft.body.slice(0, chance.below(draft.body.length + 1))
      if (chunk !== undefined) chunk.data += chance.pick(SPECIAL)
  }
}

function write(draft: Draft): string {
  const framing =
    draft.framing === 'length'
      ? [`Content-Length: ${draft.chunks.reduce((sum, { data }) => sum + data.length, 0)}`]
      : draft.framing === 'chunked'
        ? ['Transfer-Encoding: chunked']
        : []
  const head = [draft.start, ...draft.lines, ...framing].join(draft.lineEnd)
  const body =
    draft.framing === 'chunked'
      ? draft.chunks.map(({ size, data, end }) => `${size}\r\n${data}${end}`).join('') + draft.last
      : draft.body
  return `${head}${draft.lineEnd}\r\n${body}`
}

/** Faults that know nothing of the structure. */
function damage(chance: Chance, bytes: string): string {
  let damaged = bytes
  for (let n = chance.below(3); n > 0; n--) {
    const at = chance.below(damaged.length + 1)
    const to = at + 1 + chance.below(6)
    switch (chance.below(7)) {
      case 0:
        damaged = damaged.slice(0, at) + damaged.slice(to)
        break
      case 1:
      case 2:
        damaged = damaged.slice(0, at) + chance.pick(SPECIAL) + damaged.slice(at)
        break
      case 3:
        damaged = damaged.slice(0, at) + chance.pick(SPECIAL) + damaged.slice(at + 1)
        break
      case 4:
        damaged = damaged.slice(0, to) + damaged.slice(at)
        break
      case 5:
        if (chance.once(2)) damaged = damaged.slice(0, at)
        break
      default:
        damaged = damaged.replace('\r\n', chance.pick(ENDS))
    }
  }
  return damaged
}

function cut(chance: Chance, bytes: string): string[] {
  const pieces: string[] = []
  const parts = chance.once(2) ? 1 : 2 + chance.below(3)
  let rest = bytes
  for (let i = 1; i < parts && rest.length > 1; i++) {
    const at = 1 + chance.below(rest.length - 1)
    pieces.push(rest.slice(0, at))
    rest = rest.slice(at)
  }
  if (rest !== '') pieces.push(rest)
  return pieces
}
