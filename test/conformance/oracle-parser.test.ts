// Differential: whatever bytes a client sends, Node's parser at the origin sees exactly what we logged as forwarded, and
// what it would make of the client's bytes itself. The explained differences are in test/fuzz/judge-requests.ts.
import { test } from 'node:test'
import fc from 'fast-check'
import { startRequestJudge } from '../fuzz/judge-requests.ts'

const line = fc.constantFrom(
  ...[
    'GET / HTTP/1.1',
    'POST /p HTTP/1.1',
    'GET / HTTP/1.0',
    'DELETE /d?e HTTP/1.1',
    'PUT * HTTP/1.1',
  ],
  ...['GET http://a.test/x HTTP/1.1', 'POST / HTTP/1.2', 'GET /%2e%2e HTTP/1.1', 'FOO / HTTP/1.1'],
)
const field = fc.constantFrom(
  ...['Host: a.test', 'Host: a.test', 'Host: a.test', 'Host: b.test', 'Content-Length: 5'],
  ...[
    'Content-Length: 0',
    'Content-Length: 14',
    'Transfer-Encoding: chunked',
    'transfer-encoding:chunked',
  ],
  ...[
    'Transfer-Encoding: chunked, chunked',
    'Transfer-Encoding: x',
    'Content-Length: 5, 5',
    ' folded',
  ],
  ...[
    'Connection: close',
    'Connection: Content-Length',
    'X-A: b\rc',
    'X-A : b',
    'Expect: 100-continue',
  ],
  ...[
    'Content-Length: 5\x0b',
    'Transfer-Encoding: \x0bchunked',
    'Content_Length: 5',
    'Upgrade: h2c',
  ],
)
const body = fc.constantFrom(
  ...[
    '',
    'hello',
    '5\r\nhello\r\n0\r\n\r\n',
    '5\r\nhello\r\n',
    '0\r\n\r\n',
    '5;a=b\r\nhello\r\n0\r\n\r\n',
  ],
  ...[
    '05\r\nhello\r\n0\r\n\r\n',
    '+5\r\nhello\r\n0\r\n\r\n',
    '5\nhello\n0\n\n',
    '5\r\nhello0\r\n\r\n',
  ],
  ...[
    '0\r\nHost: c.test\r\n\r\n',
    '0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n',
    '\r\n',
    '\n',
  ],
)
const end = fc.constantFrom('\r\n', '\r\n', '\r\n', '\r\n', '\n', '\r', '\r\r\n')
const message = fc
  .tuple(line, fc.array(field, { maxLength: 4 }), end, body)
  .map(([start, fields, lineEnd, content]) => {
    const head = [start, 'Host: a.test', ...fields].join(lineEnd)
    return `${head}${lineEnd}\r\n${content}`
  })
const bytes = fc
  .tuple(fc.array(message, { minLength: 1, maxLength: 3 }), fc.option(fc.nat(200)))
  .map(([messages, cut]) => {
    const all = messages.join('')
    return cut === null || cut === 0 || cut >= all.length
      ? [all]
      : [all.slice(0, cut), all.slice(cut)]
  })

test('the origin sees exactly the requests that are logged as forwarded, whatever the client sends', async (t) => {
  const judge = await startRequestJudge(t)

  await fc.assert(
    fc.asyncProperty(bytes, (pieces) => judge.judge(pieces, false)),
    { numRuns: 600 },
  )
})
