// A file that was edited is read as a whole reading of it would: whatever the edit, and however often.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  type KnownDocument,
  parseDocument,
  type ParsedDocument,
} from '../../src/document/document.ts'

const world = { env: { HOST: 'a.test' }, readFile: () => 'secret' }

function read(text: string, before: KnownDocument | null = null): ParsedDocument {
  return parseDocument(text, 'a.json', world, before)
}

function knownOf(document: ParsedDocument): KnownDocument | null {
  return document.readable ? document.known : null
}

/** All that a consumer sees. */
function shown(document: ParsedDocument): unknown {
  if (!document.readable) return document.problems
  const { objects, settings, problems } = document
  const byKey = objects.toSorted((a, b) => (a.key < b.key ? -1 : 1))
  const inner = byKey.map((object) => document.locate(object, ['route']))
  return { objects: byKey, settings, problems, inner, workers: document.locateSetting(['workers']) }
}

const frontends = Array.from(
  { length: 20 },
  (_, at) => `"f${at}": {"route": "Host(\\"h${at}\\")", "respond": {"status": 200}}`,
)
const site = (members: readonly string[], end = ''): string =>
  `{"workers": 2,\n"backends": {"b": {"servers": {"s": "http://127.0.0.1:1"}}},\n` +
  `"frontends": {\n${members.join(',\n')}\n},\n"listeners": {"web": {"address": ":0"}}${end}}\n`

test('an edit of one object leaves all others the objects that they were', () => {
  const before = read(site(frontends))
  const changed = frontends.with(7, '"f7": {"route": "Host(\\"other\\")", "backend": "b"}')

  const after = read(site(changed), knownOf(before))

  assert.ok(before.readable && after.readable)
  assert.deepEqual(shown(after), shown(read(site(changed))))
  const known = new Set(before.objects)
  assert.deepEqual(
    after.objects.filter((object) => !known.has(object)).map(({ id }) => id),
    ['f7'],
  )
})

test('objects behind an edit that adds lines have their new places', () => {
  const before = read(site(frontends))
  const more = frontends.toSpliced(3, 1, '"new":\n\n{"route": "Host(\\"n\\")"}', '"n2": {}')

  const after = read(site(more), knownOf(before))

  assert.deepEqual(shown(after), shown(read(site(more))))
})

test('what references stand for is put in at each reading', () => {
  const members = [...frontends, `"ref": {"route": "Host(\\"\${HOST}\\")", "auth": "\${file:x}"}`]
  const first = knownOf(read(site(members)))
  const text = site(members.with(0, '"f0": {}'))
  const other = { env: { HOST: 'b.test' }, readFile: () => 'rotated' }

  const after = parseDocument(text, 'a.json', other, first)

  assert.deepEqual(shown(after), shown(parseDocument(text, 'a.json', other)))
})

test('an edit that breaks the file, or spells an id twice, is found', () => {
  const known = knownOf(read(site(frontends)))
  const broken = [
    site(frontends.with(4, '"f4": {"route": }')),
    site(frontends.with(4, '"f5": {}')),
    site(frontends.with(4, '"f4": {}, "f4": {}')),
    site(frontends.with(4, '"f4": {}}, "hosts": {"f9": {}')),
    site(frontends.with(4, '"f4": {}}, "": {"f9": {}')),
    site(frontends.with(4, '')),
    site(frontends, ', "frontend": {}'),
    site(frontends).slice(0, -3),
    `${site(frontends)}x`,
  ]
  for (const text of broken) assert.deepEqual(shown(read(text, known)), shown(read(text)), text)
})

test('any edits, one after another, are read as the whole is', () => {
  const piece = fc.constantFrom(
    ...[
      '"',
      '{',
      '}',
      ',',
      ':',
      '\n',
      ' ',
      '\\',
      `\${HOST}`,
      '"f1": {}',
      '"f99": {"a": [1]}',
      ', ',
    ],
    ...['"x": 1', '"__proto__": {}', '"1": {}', 'null', '{}', '"f\\u0031": {}'],
  )
  const edit = fc.record({
    at: fc.nat(2000),
    removed: fc.oneof(fc.nat(3), fc.nat(90)),
    added: fc.array(piece, { maxLength: 3 }).map((pieces) => pieces.join('')),
  })
  const member = fc.record({ at: fc.nat(19), to: fc.constantFrom('', ...frontends, '"n": {}') })
  const change = fc.oneof(
    edit.map(
      ({ at, removed, added }) =>
        (text: string) =>
          text.slice(0, at) + added + text.slice(at + removed),
    ),
    member.map(
      ({ at, to }) =>
        (text: string) =>
          text.replace(to === '' ? `${frontends[at]},\n` : (frontends[at] ?? ''), () => to),
    ),
  )
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
      let text = site(frontends)
      let known = knownOf(read(text))
      for (const apply of changes) {
        text = apply(text)
        const document = read(text, known)
        assert.deepEqual(shown(document), shown(read(text)))
        known = knownOf(document) ?? known
      }
    }),
    { numRuns: 700 },
  )
})
