// vulcand's RewriteBody (facts/vulcand.md 5.4), with a closed list of variables in place of templates.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { BodyVariables } from '../../src/middleware/rewrite/body-variables.ts'
import { requestOf, type RequestForm } from '../support/middleware-context.ts'

const FORM: RequestForm = {
  host: 'shop.example',
  target: '/a%20b?c=d',
  fields: {
    'X-Header': 'bar',
    'X-Markup': `<b a="1">'&`,
    Cookie: 'id=secret',
    Authorization: 'Basic x',
  },
}

function rewritten(pieces: readonly (string | Buffer)[], type?: string): string {
  const variables = new BodyVariables(requestOf(FORM), type)
  const out = pieces.map((piece) => variables.write(piece).toString('latin1'))
  return out.join('') + variables.end()
}

const PLAIN = 'text/plain'

/** Body, and what becomes of it. */
const BODIES: readonly (readonly [string, string])[] = [
  ['{"foo": "{{.Request.Header.Get "X-Header"}}"}', '{"foo": "bar"}'],
  ['{{.Request.Host}}{{.Request.Method}}', 'shop.exampleGET'],
  ['{{.Request.RequestURI}} {{ .Request.URL.Path }}', '/a%20b?c=d /a b'],
  ['{{.Request.Header.Get "X-None"}}.', '.'],
  // Others stay: a body is no program.
  [
    '{{.Request.Header}} {{.Request.Body}} {{range .}}',
    '{{.Request.Header}} {{.Request.Body}} {{range .}}',
  ],
  [
    '{{.Request.Header.Get "Cookie"}} {{.Request.Header.Get "authorization"}}',
    '{{.Request.Header.Get "Cookie"}} {{.Request.Header.Get "authorization"}}',
  ],
  ['{{{{.Request.Host}}}}', '{{shop.example}}'],
  ['{ {{ {{. {{.Request.Host', '{ {{ {{. {{.Request.Host'],
  ['{{.Request.Host} }', '{{.Request.Host} }'],
  ['', ''],
]

test('variables of a body get their values, and nothing else changes', () => {
  for (const [body, wanted] of BODIES) {
    assert.equal(rewritten([body], PLAIN), wanted)
    assert.equal(rewritten([Buffer.from(body)], PLAIN), wanted)
    assert.equal(rewritten([...body], PLAIN), wanted, `${body}, one byte at a time`)
  }
})

test('a body is the same in any pieces', () => {
  const piece = fc.oneof(
    fc.constantFrom(...BODIES.map(([body]) => body), '{', '{{', '}}', '{{.Request.', 'Host}}'),
    fc.string({ maxLength: 300, unit: 'binary-ascii' }),
  )
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 8 }),
      fc.array(fc.nat(900), { maxLength: 8 }),
      (parts, cuts) => {
        const body = parts.join('')
        const edges = [...new Set([0, ...cuts.filter((at) => at < body.length), body.length])].sort(
          (a, b) => a - b,
        )
        const pieces = edges
          .slice(1)
          .map((edge, at) => Buffer.from(body.slice(edges[at], edge), 'latin1'))

        assert.equal(rewritten(pieces, PLAIN), rewritten([body], PLAIN))
      },
    ),
  )
})

test('a value cannot end the markup or the string that it is in', () => {
  const body = '{{.Request.Header.Get "X-Markup"}}'

  const markup = '&lt;b a=&#34;1&#34;&gt;&#39;&amp;'
  assert.equal(rewritten([body], 'text/html; charset=utf-8'), markup)
  assert.equal(rewritten([body], 'image/svg+xml'), markup)
  assert.equal(rewritten([body]), markup)
  const inJson = rewritten([`"${body}"`], 'application/problem+json')
  assert.equal(JSON.parse(inJson), `<b a="1">'&`)
  assert.doesNotMatch(inJson, /[<>&]/)
  assert.equal(rewritten([body], PLAIN), `<b a="1">'&`)
})

test('a value that holds a variable is not read again', () => {
  const exchange = requestOf({ fields: { 'X-A': '{{.Request.Host}}' } })
  const variables = new BodyVariables(exchange, PLAIN)

  assert.equal(String(variables.write('{{.Request.Header.Get "X-A"}}')), '{{.Request.Host}}')
})

test('a short variable cannot stand for megabytes', () => {
  const exchange = requestOf({ fields: { 'X-A': 'x'.repeat(10_000) } })
  const variables = new BodyVariables(exchange, PLAIN)
  const body = '{{.Request.Header.Get "X-A"}}'.repeat(2000)

  const length = variables.write(body).length + variables.end().length

  assert.ok(length < 1024 * 1024 + body.length, `${length} bytes`)
})

test('a piece without a brace goes on as it is', () => {
  const variables = new BodyVariables(requestOf(), PLAIN)
  const piece = Buffer.from('no variables')

  assert.equal(variables.write(piece), piece)
})
