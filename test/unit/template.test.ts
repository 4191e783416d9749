/** Templates where Go is no measure: bounds, messages, the functions of confd that read the world. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BUILTINS } from '../../src/template/builtins.ts'
import { confdFunctions } from '../../src/template/confd-functions.ts'
import { evaluate, type Bounds } from '../../src/template/evaluate.ts'
import { parseTemplate } from '../../src/template/parse.ts'
import { fromJson, TemplateError } from '../../src/template/value.ts'

const NOW = Date.UTC(2026, 10, 30, 21, 5, 9, 120)
const environment = { HOME: '/root', EMPTY: '' }
const FUNCTIONS = new Map([...BUILTINS, ...confdFunctions({ environment, now: () => NOW })])

function render(template: string, data: unknown = {}, bounds?: Bounds): string {
  const templates = parseTemplate(template, 'main', new Set(FUNCTIONS.keys()))
  return evaluate(templates, 'main', fromJson(data), FUNCTIONS, bounds)
}

function errorOf(template: string, data: unknown = {}, bounds?: Bounds): string {
  try {
    return `no error: ${render(template, data, bounds)}`
  } catch (error) {
    assert.ok(error instanceof TemplateError, String(error))
    return error.message
  }
}

test('what does not end is an error', () => {
  const bounds = { steps: 10_000, length: 1000 }
  const nested = '{{range $}}'.repeat(8) + 'x' + '{{end}}'.repeat(8)

  assert.match(
    errorOf('{{define "a"}}{{template "a"}}{{end}}{{template "a"}}'),
    /call each other deeper than 300/,
  )
  assert.match(
    errorOf(nested.replace('x', ''), [1, 2, 3, 4, 5, 6], bounds),
    /not ended after 10000/,
  )
  assert.match(errorOf(nested, [1, 2, 3], bounds), /longer than 1000 characters/)
  const doubling = '{{$x := "ab"}}{{range seq 1 64}}{{$x = printf "%s%s" $x $x}}{{end}}'
  assert.match(errorOf(doubling), /printf: the text is longer than/)
  const chain = `{{if 0}}${'{{else if 0}}'.repeat(5000)}{{end}}`
  assert.match(errorOf(chain), /deeper than 200 in each other/)
  assert.match(errorOf('{{seq 1 1000000000}}'), /no list of more than 100000/)
  assert.match(errorOf('{{printf "%2000000d" 1}}'), /no width or precision above/)
  assert.match(errorOf('{{if 1}}'.repeat(300) + '{{end}}'.repeat(300)), /deeper than 200/)
  assert.match(errorOf(`{{${'('.repeat(300)}1${')'.repeat(300)}}}`), /deeper than 200/)
})

test('an error names the line, and what is wrong there', () => {
  for (const [template, message] of [
    ['a\n{{.x', 'line 2: unclosed action'],
    ['a\n\n{{nosuch 1}}', 'line 3: function "nosuch" not defined'],
    ['{{/* a\nb */}}\n{{$x}}', 'line 3: undefined variable "$x"'],
    ['{{if 1}}\n', 'line 2: unexpected end of the text: an {{end}} is missing'],
    ['a\n{{div 1 0}}', 'line 2: error calling div: division by zero'],
    ['{{.a.b}}', 'line 1: cannot evaluate field b in type float64'],
    ['{{atoi "x"}}', 'line 1: error calling atoi: the text is no integer of 64 bits'],
    ['{{parseBool "x"}}', 'line 1: error calling parseBool: the text is neither true nor false'],
    ['{{json "["}}', 'line 1: error calling json: the text is no JSON'],
    ['{{jsonArray "{}"}}', 'line 1: error calling jsonArray: the JSON is not an array'],
  ] as const) {
    assert.equal(errorOf(template, { a: 1 }), message)
  }
})

test('functions of confd give what confd gives', () => {
  for (const [template, text] of [
    [
      '{{getenv "HOME"}} {{getenv "EMPTY" "x"}} {{getenv "NONE" "y"}}|{{getenv "NONE"}}',
      '/root x y|',
    ],
    ['{{datetime.Format "Mon Jan 2 15:04:05 MST 2006"}}', 'Mon Nov 30 21:05:09 UTC 2026'],
    [
      '{{datetime.Format "2006-01-02T15:04:05.000Z07:00 3:04PM _2"}}',
      '2026-11-30T21:05:09.120Z 9:05PM 30',
    ],
    ['{{datetime.Unix}} {{datetime}}', '1796072709 2026-11-30 21:05:09.12 +0000 UTC'],
    ['{{range jsonArray "[1, \\"a\\"]"}}<{{.}}>{{end}}', '<1><a>'],
    ['{{$d := json "{\\"a\\": {\\"b\\": 2}}"}}{{$d.a.b}}', '2'],
    [
      '{{reverse (split "a,b,c" ",")}} {{sortByLength (split "aaa,b,cc" ",")}}',
      '[c b a] [b cc aaa]',
    ],
    ['{{base64Encode "größe"}} {{base64Decode "Z3LDtsOfZQ=="}}', 'Z3LDtsOfZQ== größe'],
    ['{{fileExists "/"}} {{fileExists "/no/such/file"}}', 'true false'],
  ] as const) {
    assert.equal(render(template), text, template)
  }
})

test('a template cannot reach what JavaScript has', () => {
  assert.equal(
    render('{{.constructor}} {{.__proto__}} {{.toString}}'),
    '<no value> <no value> <no value>',
  )
  assert.match(errorOf('{{.a.constructor}}', { a: 'x' }), /cannot evaluate field constructor/)
  assert.match(errorOf('{{datetime.constructor}}'), /cannot evaluate field constructor/)
})
