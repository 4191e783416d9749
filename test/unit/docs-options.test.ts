/** The tables of options in docs/ are what the schemas say. */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { optionsTables, tablesOn, withTables } from '../../config/options-tables.ts'
import { MIDDLEWARES, roleOf } from '../../src/middleware/catalog.ts'
import { SOURCE_KINDS } from '../../src/providers/catalog/sources.ts'
import { parseMiddleware } from '../../src/schema/middleware.ts'
import { BALANCERS } from '../../src/upstream/balancing/balancer.ts'
import { LEAST_OPTIONS } from '../support/options.ts'

const DOCS = fileURLToPath(new URL('../../docs/', import.meta.url))
const pages = globSync('**/*.md', { cwd: DOCS }).map(
  (name) => [name, readFileSync(DOCS + name, 'utf8')] as const,
)
const tables = optionsTables()

test('every middleware, balancer and source has one page with its options', () => {
  const found = pages.flatMap(([, page]) => tablesOn(page))

  const names = [
    ...[...MIDDLEWARES, ...SOURCE_KINDS].map(({ kind }) => kind),
    ...BALANCERS.map(({ name }) => name),
    ...['settings', 'resolver', 'sources', 'templates'],
  ]
  assert.deepEqual(
    names.filter((name) => found.filter((one) => one === name).length !== 1),
    [],
    'each of these needs one page with <!-- options:NAME --> and <!-- /options -->: add it, then run npm run schema',
  )
})

test('the page of middlewares has their order', () => {
  const page = pages.find(([name]) => name === 'middlewares/README.md')?.[1] ?? ''
  const [, chain = ''] = /^ {4}redirect \(scheme\) -> (.+) -> server$/m.exec(page) ?? []

  // Terminal ones take the place of the server.
  const filters = MIDDLEWARES.map(({ kind }) => ({ kind, options: parsedLeastOptions(kind) }))
    .filter((spec) => roleOf(spec) === 'filter')
    .map(({ kind }) => kind)
  assert.deepEqual(
    chain.split(' -> '),
    filters,
    'the order in docs/middlewares/README.md is not that of MIDDLEWARES',
  )
})

function parsedLeastOptions(kind: string): unknown {
  const parsed = parseMiddleware({ kind, options: LEAST_OPTIONS[kind] })
  assert.ok(parsed.ok, `LEAST_OPTIONS of test/support/options.ts lacks ${kind}`)
  return parsed.value.options
}

test('every table of options is what npm run schema writes', () => {
  const outdated = pages.filter(([, page]) => page !== withTables(page, tables))

  assert.deepEqual(
    outdated.map(([name]) => name),
    [],
    'these pages of docs are out of date: run npm run schema',
  )
})

test('every option has a description', () => {
  for (const [name, table] of tables) {
    const bare = table.split('\n').filter((row) => /\|\s+(?:\S+\.)? \|$/.test(row))
    assert.deepEqual(bare.slice(1), [], name)
  }
})

test('the table of a source leaves the options of every source to their own table', () => {
  const names = (table: string | undefined): readonly string[] =>
    [...(table ?? '').matchAll(/^\| `([\w.]+)`/gm)].map(([, name = '']) => name)

  assert.deepEqual(names(tables.get('files')), ['directory'])
  assert.deepEqual(names(tables.get('sources')).slice(0, 3), ['kind', 'required', 'shrink'])
  assert.ok(names(tables.get('settings')).includes('admin.address'))
})

test('a table holds names, defaults, values and bounds', () => {
  const rows = tables.get('ratelimit')?.split('\n') ?? []

  for (const row of [
    /^\| `requests` \| {2}\| .+ 1 to 1,000,000,000\. \|$/,
    /^\| `redis\.url` \| required \| .+ At most 2,048 characters\. \|$/,
    /^\| `redis\.timeout` \| `20ms` \| .+ 1ms to 10s\. \|$/,
    /^\| `redis\.onFailure` \| `local` \| .+ `local`, `allow`, `deny`\. \|$/,
  ])
    assert.ok(
      rows.some((one) => row.test(one)),
      `${row} in\n${rows.join('\n')}`,
    )
})
