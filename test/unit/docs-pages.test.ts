// Issue: "Docs: one page per policy, with when to use it". What the pages show is read by the real parser and admitted; what
// they link to is there; what can be written is on them.
//
// The rule for a block of ```yaml: it is a file, or the sections of one. Sections that it does not have are those of BARE.
import assert from 'node:assert/strict'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parseDocument } from '../../src/document/document.ts'
import { openAdmission, type Sections } from '../support/declared.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const DOCS = join(ROOT, 'docs')

const BARE = {
  listeners: { web: { address: '127.0.0.1:8080' } },
  backends: { vote: { servers: { v1: 'http://127.0.0.1:5001' } } },
  frontends: { vote: { route: 'Host("vote.localhost")', backend: 'vote' } },
} as const satisfies Sections

const SECTION = { listener: 'listeners', backend: 'backends', frontend: 'frontends' } as const

const pages = readdirSync(DOCS, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.md'))
  .sort()
const readPage = (page: string): string => readFileSync(join(DOCS, page), 'utf8')

for (const page of pages) {
  const text = readPage(page)

  for (const [at, [, block = '']] of [...text.matchAll(/^```yaml\n(.*?)^```$/gms)].entries()) {
    test(`${page}: block ${at + 1} is admitted as it stands there`, () => {
      const parsed = parseDocument(block, 'block.yaml')
      assert.ok(parsed.readable, JSON.stringify(parsed.problems))
      const written: Record<string, Record<string, unknown>> = {}
      for (const { kind, id, value } of parsed.objects) {
        assert.notEqual(kind, 'host')
        if (kind !== 'host') (written[SECTION[kind]] ??= {})[id] = value
      }

      const { problems, setAside } = openAdmission().declare({ ...BARE, ...written })

      assert.deepEqual([parsed.problems, problems, setAside], [[], [], []])
    })
  }

  test(`${page}: every link leads to a file, or a heading of one`, () => {
    for (const [, link = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      const [path = '', heading] = link.split('#')
      assert.doesNotMatch(link, /^\w+:|^\//, 'links stay within the repository')
      const target = path === '' ? join(DOCS, page) : join(DOCS, dirname(page), path)
      assert.ok(existsSync(target), `${link}: there is no ${relative(ROOT, target)}`)
      if (heading !== undefined) assert.ok(headingsOf(target).includes(heading), link)
    }
  })
}

function headingsOf(path: string): readonly string[] {
  return [...readFileSync(path, 'utf8').matchAll(/^#+ (.*)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  )
}

test('the index has every page, and every page leads back to it and to an example', () => {
  for (const page of pages.filter((name) => name !== 'README.md')) {
    const text = readPage(page)
    assert.ok(readPage('README.md').includes(`](${page})`), `${page} is not in the index`)
    assert.match(text, /\]\(\.\.\/README\.md\)/, page)
    assert.match(text, /\]\(\.\.\/\.\.\/config\/examples\/[\w-]+\.yaml\)/, page)
    assert.match(text, /^\*\*Use\b/m, page)
    assert.match(text, /^\*\*What surprises\.\*\*/m, page)
  }
})

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>
  readonly additionalProperties?: Schema
}

/** Where the options of each page stand in the schema that editors use. */
const OPTIONS: readonly (readonly [page: string, ...path: string[]])[] = [
  ['balancing/hash.md', 'backends', 'hash'],
  ['balancing/sticky.md', 'backends', 'sticky'],
  ['resilience/health.md', 'backends', 'health'],
  ['resilience/ejection.md', 'backends', 'ejection'],
  ['resilience/ejection.md', 'backends', 'ejection', 'successRate'],
  ['resilience/breaker.md', 'backends', 'breaker'],
  ['resilience/breaker.md', 'frontends', 'breaker'],
  ['resilience/retries.md', 'backends', 'retry'],
  ['resilience/retries.md', 'backends', 'retry', 'budget'],
  ['resilience/retries.md', 'backends', 'retry', 'hedge'],
  ['resilience/timeouts.md', 'backends', 'timeouts'],
  ['resilience/timeouts.md', 'frontends', 'timeouts'],
  ['resilience/timeouts.md', 'listeners', 'timeouts'],
  ['limits/ratelimit.md', 'frontends', 'ratelimit'],
  ['limits/connlimit.md', 'frontends', 'connlimit'],
  ['limits/inflight.md', 'frontends', 'inflight'],
  ['limits/adaptive.md', 'frontends', 'adaptive'],
  ['limits/bodylimit.md', 'frontends', 'bodylimit'],
  ['routes/redirect.md', 'frontends', 'redirect'],
]

test('every option of a policy is on its page', () => {
  const schema = JSON.parse(readFileSync(join(ROOT, 'config/schema.json'), 'utf8')) as Schema
  for (const [page, section = '', ...path] of OPTIONS) {
    let found = schema.properties?.[section]?.additionalProperties
    for (const step of path) found = found?.properties?.[step]
    const names = Object.keys(found?.properties ?? {})
    assert.ok(names.length > 0, `${section} has no ${path.join('.')}`)
    const text = readPage(page)
    for (const name of names) {
      assert.match(text, new RegExp(`\`(?:\\w+\\.)?${name}[\`.]`), `${page} lacks ${name}`)
    }
  }
})
