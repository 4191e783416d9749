/** HPACK encoding: what is encoded decodes to the same, in any order and with any size of the table, and repeats cost a byte. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { HeadDecoder, OK } from '../../src/http2/hpack/head-decoder.ts'
import { HeadEncoder } from '../../src/http2/hpack/head-encoder.ts'

const LIMITS = { fields: 10_000, headBytes: 10_000_000 }
const OUT = Buffer.alloc(256 * 1024)
const GET = {
  method: 'GET',
  scheme: 'https',
  authority: 'example.com',
  path: '/',
  protocol: '',
  contentLength: -1,
}

class Pair {
  readonly encoder = new HeadEncoder()
  readonly decoder: HeadDecoder

  constructor(kind: 'request' | 'response') {
    this.decoder = new HeadDecoder(kind, LIMITS, true)
  }

  /** Bytes of the block. */
  response(status: number, length: number, fields: string): number {
    return this.#decode(this.encoder.response(OUT, 3, status, length, fields), false)
  }

  request(line: typeof GET, fields: string, more = ''): number {
    return this.#decode(this.encoder.request(OUT, 3, line, fields, more), false)
  }

  trailers(fields: string): number {
    return this.#decode(this.encoder.trailers(OUT, 3, fields), true)
  }

  #decode(end: number, trailers: boolean): number {
    assert.equal(this.decoder.decode(OUT, 3, end, trailers), OK, this.decoder.fault)
    return end - 3
  }
}

test('a response comes back in lower case, without fields of a hop', () => {
  const pair = new Pair('response')

  pair.response(
    206,
    1234,
    'Server: nginx\r\nConnection: close\r\nX-Empty:\r\nX-Wide: \t a b \t\r\nTransfer-Encoding: chunked\r\nContent-Length: 7\r\n',
  )

  const { status, contentLength, fields } = pair.decoder
  assert.deepEqual(
    [status, contentLength, fields],
    [206, 1234, 'server: nginx\r\nx-empty: \r\nx-wide: a b\r\n'],
  )
})

test('a line that repeats costs a byte from its third time on', () => {
  const pair = new Pair('response')
  const fields = 'Server: nginx/1.22.1\r\nContent-Type: text/html; charset=utf-8\r\nX-Own: yes\r\n'

  const sizes = [1, 2, 3].map(() => pair.response(200, -1, fields))

  assert.ok((sizes[0] ?? 0) > 50)
  assert.ok((sizes[1] ?? 0) > 50)
  assert.equal(sizes[2], 4)
})

test('the fields of the head before are encoded as before, until the table changes', () => {
  const pair = new Pair('response')
  const fields = 'x-a: 1\r\netag: "1"\r\n'
  const others = 'x-c: 3\r\n'

  for (let round = 0; round < 20; round++) {
    pair.response(200, round, fields)
    assert.equal(pair.decoder.fields, fields)
    if (round % 5 === 4) pair.response(200, -1, others)
    if (round === 12) pair.encoder.resize(0)
    if (round === 15) pair.encoder.resize(4096)
  }
})

test('lines are found at another place of the head, and after others took theirs', () => {
  const pair = new Pair('response')
  const lines = ['server: s\r\n', 'ETag: "1"\r\n', 'Vary: accept\r\n', 'x-long-name: value\r\n']
  for (let time = 0; time < 3; time++) pair.response(200, 1, lines.join('') + `x-id: ${time}\r\n`)

  for (const order of [lines, [...lines].reverse(), lines.slice(1), lines]) {
    const varying = order.join('').replace('"1"', `"${order.length}"`)
    const bytes = pair.response(200, 1, varying)

    assert.equal(pair.decoder.fields, varying.toLowerCase())
    assert.ok(bytes < 20, `${bytes} bytes`)
  }
})

test('what never repeats does not enter the table', () => {
  const pair = new Pair('response')
  const kept = 'x-kept: always the same\r\n'
  for (let round = 0; round < 3; round++) pair.response(200, -1, kept)

  for (let round = 0; round < 500; round++)
    pair.response(200, -1, `x-id: ${round} ${'y'.repeat(50)}\r\n`)

  assert.equal(pair.response(200, -1, kept), 2)
})

test('all lines of a head enter the table, also those that are noted in the same place', () => {
  const pair = new Pair('response')
  const fields = Array.from({ length: 60 }, (_, line) => `x-${line}: ${line * line}\r\n`).join('')

  for (let round = 0; round < 20; round++) pair.response(200, -1, fields)

  assert.equal(pair.response(200, -1, fields), 61)
})

test('requests of clients in turn cost no more than those of one, with an id that differs', () => {
  const pair = new Pair('request')
  const clients = Array.from({ length: 4 }, (_, client) => ({
    fields: `user-agent: browser ${client}\r\naccept: text/html\r\n`,
    more: `X-Forwarded-For: 192.0.2.${client}\r\nX-Forwarded-Port: 443\r\nX-Request-Id: `,
  }))
  const sizes: number[] = []

  for (let round = 0; round < 12; round++) {
    for (const { fields, more } of clients) {
      sizes.push(pair.request(GET, fields, `${more}id-${100 + sizes.length}\r\n`))
      const received = `${pair.decoder.fields}${pair.decoder.forwarding}`
      const id = `x-request-id: id-${99 + sizes.length}\r\n`
      const sent = `${fields}${more.toLowerCase().replace('x-request-id: ', '')}${id}`
      assert.deepEqual(received.split('\r\n').sort(), sent.split('\r\n').sort())
    }
    // What is remembered of them holds for a table of another size no more.
    if (round === 8) pair.encoder.resize(2048)
  }

  const id = 'x-request-id'.length + 'id-100'.length + 3
  assert.deepEqual(new Set(sizes.slice(-8)), new Set([4 + 2 + 2 + id]))
})

test('lines that are added to those of a request may be none, one, or without an id', () => {
  const id = 'X-Request-Id: a-1\r\n'
  for (const more of ['', 'x-b: 1\r\n', 'x-b: 1\r\nx-c: 2\r\n', id, `x-b: 1\r\n${id}`]) {
    const pair = new Pair('request')
    for (let round = 0; round < 4; round++) {
      pair.request(GET, 'x-a: 0\r\n', more)
      const { fields, forwarding } = pair.decoder
      assert.equal(fields + forwarding, `x-a: 0\r\n${more.toLowerCase()}`)
    }
  }
})

test('secrets are never indexed', () => {
  const pair = new Pair('response')
  const secret = 'set-cookie: id=secret\r\n'

  const sizes = [1, 2, 3].map(() => pair.response(200, -1, secret))

  assert.deepEqual(new Set(sizes).size, 1)
  const end = pair.encoder.response(OUT, 0, 200, -1, secret)
  assert.equal((OUT[1] ?? 0) & 0xf0, 0x10)
  assert.ok(end > 10)
})

test('what came as never indexed is written so, also while the table and a kept block have its line', () => {
  const encoder = new HeadEncoder()
  const decoder = new HeadDecoder('response', LIMITS)
  const fields = 'x-a: 1\r\nX-Token: \t mine \r\nx-b: 2\r\n'
  const read = (never: ReadonlySet<string> | null): [number, readonly string[]] => {
    const end = encoder.response(OUT, 0, 200, -1, fields, never)
    assert.equal(decoder.decode(OUT, 0, end, false), OK)
    assert.equal(decoder.fields, 'x-a: 1\r\nx-token: mine\r\nx-b: 2\r\n')
    return [end, [...(decoder.neverIndexed ?? [])]]
  }
  for (let round = 0; round < 4; round++) assert.deepEqual(read(null)[1], [])
  const [indexed] = read(null)
  assert.equal(indexed, 4)

  const [guarded, names] = read(new Set(['x-token', 'x-other']))

  assert.deepEqual(names, ['x-token'])
  // The other lines stay references.
  assert.equal(guarded, 3 + 1 + 'x-token'.length + 1 + 1 + 'mine'.length)
  assert.deepEqual(read(null), [4, []])
})

test('a trailer that came as never indexed is written so', () => {
  const pair = new Pair('response')

  for (let round = 0; round < 3; round++) {
    const end = pair.encoder.trailers(OUT, 0, 'x-a: 1\r\n', new Set(['x-a']))
    assert.equal(pair.decoder.decode(OUT, 0, end, true), OK)
    assert.deepEqual([...(pair.decoder.neverIndexed ?? [])], ['x-a'])
  }
})

test('a request comes back', () => {
  const pair = new Pair('request')
  const post = { ...GET, method: 'POST', path: '/a?b', scheme: 'http', contentLength: 3 }

  for (let round = 0; round < 3; round++) {
    pair.request(post, 'te: trailers\r\ncookie: a=1; b=2\r\nX-A: 1\r\n')

    const { method, scheme, authority, path, contentLength, te, cookie, fields } = pair.decoder
    assert.deepEqual(
      [method, scheme, authority, path, contentLength, te, cookie, fields],
      ['POST', 'http', 'example.com', '/a?b', 3, true, 'a=1; b=2', 'x-a: 1\r\n'],
    )
  }
  pair.request({ ...GET, method: 'CONNECT', protocol: 'websocket' }, '')
  assert.equal(pair.decoder.protocol, 'websocket')
  pair.request({ ...GET, method: 'CONNECT', scheme: '', path: '' }, '')
  assert.equal(pair.decoder.method, 'CONNECT')
})

test('a smaller table of the peer is announced, and one that shrank and grew again', () => {
  const pair = new Pair('response')
  const fields = 'x-a: 1\r\nx-b: 2\r\n'
  for (let round = 0; round < 3; round++) pair.response(200, -1, fields)

  pair.encoder.resize(0)
  pair.encoder.resize(4096)
  const size = pair.response(200, -1, fields)

  assert.ok(size > 15)
  assert.equal(pair.decoder.fields, fields)
  pair.encoder.resize(64)
  pair.response(200, -1, fields)
  pair.encoder.resize(1_000_000)
  for (let round = 0; round < 3; round++) pair.response(200, -1, fields)
  assert.equal(pair.response(200, -1, fields), 3)
})

test('any heads decode to what was encoded, with any sizes of the table', () => {
  const name = fc.stringMatching(/^[A-Za-z][A-Za-z0-9-]{0,12}$/)
  const value = fc.stringMatching(/^(?:[!-~\x80-\xff](?:[ -~\x80-\xff]{0,200}[!-~\x80-\xff])?)?$/)
  // Few of each, so that lines repeat.
  const lines = fc.array(fc.tuple(name, value), { minLength: 1, maxLength: 20 })
  const picks = fc.array(
    fc.record({
      resize: fc.option(fc.integer({ min: 0, max: 5000 }), { freq: 8 }),
      lines: fc.array(fc.nat(), { maxLength: 30 }),
      times: fc.integer({ min: 1, max: 4 }),
      trailers: fc.boolean(),
    }),
    { maxLength: 30 },
  )
  const special =
    /^(?:te|host|upgrade|connection|content-length|keep-alive|transfer-encoding|trailer|proxy-.*|http2-settings)$/i
  fc.assert(
    fc.property(lines, picks, (pool, heads) => {
      const pair = new Pair('response')
      for (const head of heads) {
        if (head.resize !== null) pair.encoder.resize(head.resize)
        const chosen = head.lines
          .map((index) => pool[index % pool.length] ?? (['x', ''] as const))
          .filter(([one]) => !special.test(one))
        const text = chosen.map(([one, what]) => `${one}: ${what}\r\n`).join('')
        for (let time = 0; time < head.times; time++) {
          if (head.trailers) pair.trailers(text)
          else pair.response(200, -1, text)

          assert.equal(
            pair.decoder.fields,
            chosen.map(([one, what]) => `${one.toLowerCase()}: ${what}\r\n`).join(''),
          )
        }
      }
    }),
    { numRuns: 300 },
  )
})
