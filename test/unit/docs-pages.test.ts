// Issue 10: "docs/: an index and a page each ... One tone, one form, examples that a test runs". What pages show is read by the
// real parser and admitted; pages of one kind have one form; what can be written is on them.
//
// The rule for a block of ```yaml: it is a file, or the sections of one. Sections that it does not have are those of BARE, whose
// frontend goes with its backend.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { optionsTables } from '../../config/options-tables.ts'
import { parseDocument } from '../../src/document/document.ts'
import { SOURCE_KINDS } from '../../src/providers/catalog/sources.ts'
import { resolveSettings } from '../../src/schema/resolve-settings.ts'
import { createAuthority } from '../support/certificates.ts'
import { openAdmission, type Sections } from '../support/declared.ts'
import { blocksOf, codesIn, headingsOf, listPages, readPage, ROOT } from '../support/docs.ts'

const BARE = {
  listeners: { web: { address: '127.0.0.1:8080' } },
  backends: { vote: { servers: { v1: 'http://127.0.0.1:5001' } } },
  frontends: { vote: { route: 'Host("vote.localhost")', backend: 'vote' } },
} as const satisfies Sections

const SECTION = {
  listener: 'listeners',
  host: 'hosts',
  backend: 'backends',
  frontend: 'frontends',
} as const

const AGENT_PAGE = 'docs/agent.md'

for (const page of listPages()) {
  const text = readPage(page)

  // Files of an agent are on a page of their own, see docs-agent.test.ts.
  for (const [at, block] of page === AGENT_PAGE ? [] : blocksOf(text, 'yaml').entries()) {
    test(`${page}: block ${at + 1} is admitted as it stands there`, (t) => {
      const references = { env: {}, readFile: readPem(t) }
      const parsed = parseDocument(block, 'block.yaml', references)
      assert.ok(parsed.readable, JSON.stringify(parsed.problems))
      const written: Record<string, Record<string, unknown>> = {}
      for (const { kind, id, value } of parsed.objects) {
        if (kind in SECTION) (written[SECTION[kind as keyof typeof SECTION]] ??= {})[id] = value
      }
      const world = { filename: 'block.yaml', env: {}, flags: {}, cores: 1, references }

      const settings = resolveSettings({ document: parsed, ...world })
      const { frontends, ...others } = BARE
      const hasBackend = 'vote' in (written['backends'] ?? BARE.backends)
      const { problems, setAside } = openAdmission({
        readFile: readPem(t),
        ordersCertificates: settings.settings.acme !== null,
      }).declare({
        ...(hasBackend ? { frontends } : {}),
        ...others,
        ...written,
      })

      assert.deepEqual([parsed.problems, settings.problems, problems, setAside], [[], [], [], []])
    })
  }

  test(`${page}: every row of a table has the columns of its head`, () => {
    let columns = 0
    for (const line of text.replace(/^```[\s\S]*?^```$/gm, '').split('\n')) {
      const cells = line.startsWith('|') ? line.split(/(?<!\\)\|/).length - 2 : 0
      if (cells > 0 && columns > 0) assert.equal(cells, columns, line)
      columns = cells
    }
  })

  // The words that the project does not use; reason codes, metrics and RFCs keep their own.
  test(`${page}: plain words`, () => {
    const prose = text.replace(/^```[\s\S]*?^```$/gm, '').replace(/`[^`]*`/g, '')
    const [found] =
      /\b(?:whoever|nobody|somebody|it is told|begs|once more as)\b/i.exec(prose) ?? []
    assert.equal(found, undefined)
  })
}

/** `NAME.pem` and `NAME.key` belong together; `NAME-ca.pem` is an authority. */
function readPem(t: TestContext): (path: string) => string {
  const authority = createAuthority(t)
  const issued = new Map<string, { cert: string; key: string }>()
  return (path) => {
    const name = basename(path).replace(/\.(?:pem|key)$/, '')
    if (name.endsWith('-ca')) return authority.cert
    const pair = issued.get(name) ?? authority.issue(`${name}.localhost`)
    issued.set(name, pair)
    return path.endsWith('.key') ? pair.key : pair.cert
  }
}

test('the index has every page', () => {
  const index = readPage('docs/README.md')
  for (const page of listPages()) {
    if (page === 'README.md' || page === 'docs/README.md') continue
    assert.ok(index.includes(`](${page.replace('docs/', '')}`), `${page} is not in the index`)
  }
})

test('every page of a folder is on the index of that folder', () => {
  for (const page of listPages().filter((one) => dirname(one) !== '.')) {
    const folder = dirname(page)
    if (folder === 'docs' || basename(page) === 'README.md' || folder === 'docs/servers') continue
    // Elsewhere pages stand beside each other in one index, too.
    const index = readPage(`${folder}/README.md`)
    assert.ok(index.includes(`](${basename(page)}`), `${page} is not in ${folder}/README.md`)
  }
})

const FORM = ['Options', 'Behaviour', 'Errors', 'Metrics', 'See also']
const OF_ONE_FORM =
  /^docs\/(?:middlewares|balancing|resilience|sources|servers)\/(?!README)[\w-]+\.md$|^docs\/(?:tls|listeners|forwarding|agent)\.md$/

test('pages about one thing have one form: a sentence, an example, options, behaviour, errors, metrics, see also', () => {
  for (const page of listPages().filter((one) => OF_ONE_FORM.test(one))) {
    const text = readPage(page)
    const headings = headingsOf(text).filter((one) => FORM.includes(one))
    assert.deepEqual(headings, FORM, page)
    assert.match(text, /^# .+\n\n(?![#|-])(?:.+\n)*.+\.\n\n/, `${page} begins with a sentence`)
    assert.ok(text.indexOf('```yaml') < text.indexOf('## Options'), `${page}: the example is first`)
  }
})

const FORM_OF_SOURCES = [
  ...['What is read', 'Options', 'Behaviour', 'When it fails', 'Permissions', 'Errors', 'Metrics'],
  'See also',
]
/** The file, the directory and the store are on this machine. */
const LOCAL = ['file', 'files', 'certificates', 'store']

test('pages of sources also say what is read, what happens when it fails, and which permissions it needs', () => {
  for (const { kind } of SOURCE_KINDS.filter((one) => !LOCAL.includes(one.kind))) {
    const headings = headingsOf(readPage(`docs/sources/${kind}.md`))
    assert.deepEqual(
      headings.filter((one) => FORM_OF_SOURCES.includes(one)),
      FORM_OF_SOURCES,
      kind,
    )
  }
})

test('pages of policies say when to use them, and name an example that runs', () => {
  const policies = /^docs\/(?:middlewares|balancing|resilience|servers)\/(?!README)/
  for (const page of listPages().filter((one) => policies.test(one))) {
    const text = readPage(page)
    assert.match(text, /^Use /m, page)
    assert.match(text, /\bDo\s+not\s+use\b|\bDo\s+not\b/, page)
    assert.match(text, /\]\(\.\.\/\.\.\/config\/examples\/[\w-]+\.yaml\)/, page)
  }
})

test('the changelog has each section of Keep a Changelog once, in its order, and no line twice', () => {
  const text = readPage('CHANGELOG.md')
  const releases = text.split(/^## /m).slice(1)
  const known = ['Added', 'Changed', 'Deprecated', 'Removed', 'Fixed', 'Security']
  for (const release of releases) {
    const sections = [...release.matchAll(/^### (.*)$/gm)].map(([, name = '']) => name)
    assert.deepEqual(
      sections,
      known.filter((name) => sections.includes(name)),
    )
  }
  // A merge by union brings back what a rewritten line has replaced.
  const entries: readonly string[] = text.match(/^- .*$/gm) ?? []
  assert.deepEqual(
    entries.filter((line, at) => entries.indexOf(line) !== at),
    [],
  )
})

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>
  readonly additionalProperties?: Schema
  readonly anyOf?: readonly Schema[]
}

const SCHEMA = JSON.parse(readFileSync(join(ROOT, 'config/schema.json'), 'utf8')) as Schema

/** Where the options of each page (or of two pages together) are in the schema that editors use; '*' is any id, a number one of several forms. */
const OPTIONS: readonly (readonly [page: string, ...path: (string | number)[]])[] = [
  ['configuration.md'],
  ['configuration.md', 'admin'],
  ['configuration.md', 'log'],
  ['configuration.md', 'backends', '*'],
  ['configuration.md', 'backends', '*', 'servers', '*', 1],
  ...SOURCE_KINDS.map(({ kind }, index): [string, ...(string | number)[]] => {
    const page = kind === 'files' ? 'directory' : kind
    return [`sources/${page}.md sources/README.md`, 'sources', '*', index]
  }),
  ['sources/etcd.md', 'sources', '*', 0, 'tls'],
  ['routes.md', 'frontends', '*'],
  ['listeners.md', 'listeners', '*'],
  ['listeners.md', 'listeners', '*', 'limits'],
  ['tls.md', 'listeners', '*', 'tls'],
  ['tls.md', 'hosts', '*'],
  ['tls.md', 'backends', '*', 'tls'],
  ['servers/names.md', 'resolver'],
  ['balancing/least-connections.md', 'backends', '*', 'limits'],
  ['balancing/sticky.md', 'backends', '*', 'sticky'],
  ['resilience/health.md', 'backends', '*', 'health'],
  ['resilience/ejection.md', 'backends', '*', 'ejection'],
  ['resilience/ejection.md', 'backends', '*', 'ejection', 'successRate'],
  ['resilience/retries.md', 'backends', '*', 'retry'],
  ['resilience/retries.md', 'backends', '*', 'retry', 'budget'],
  ['resilience/retries.md', 'backends', '*', 'retry', 'hedge'],
  ['resilience/timeouts.md', 'backends', '*', 'timeouts'],
  ['resilience/timeouts.md', 'frontends', '*', 'timeouts'],
  ['resilience/timeouts.md', 'listeners', '*', 'timeouts'],
  ['middlewares/breaker.md', 'backends', '*', 'breaker'],
]

/** Middlewares and balancers, which docs-options.test.ts looks at. */
const OWN_TABLES = optionsTables()

test('every option is on the page of what it belongs to', () => {
  for (const [page, ...path] of OPTIONS) {
    const all = Object.keys(schemaAt(path)?.properties ?? {})
    const names = all.filter((name) => name !== '$schema' && !OWN_TABLES.has(name))
    assert.ok(names.length > 0, `the schema has no ${path.join('.')}`)
    const text = page
      .split(' ')
      .map((one) => readPage(`docs/${one}`))
      .join('\n')
    const codes = codesIn(text.replace(/^```[\s\S]*?^```$/gm, '')).join(' ')
    for (const name of names) {
      const option = new RegExp(`(?<![\\w-])${name}(?![\\w-])`)
      assert.match(codes, option, `${page} lacks ${[...path, name].join('.')}`)
    }
  }
})

function schemaAt(path: readonly (string | number)[]): Schema | undefined {
  let found: Schema | undefined = SCHEMA
  for (const step of path) {
    if (typeof step === 'number') found = found?.anyOf?.[step]
    else found = step === '*' ? found?.additionalProperties : found?.properties?.[step]
  }
  return found
}
