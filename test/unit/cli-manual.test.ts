// Issue 14: "a man page made from the same source as --help": the page, the tables of docs/cli.md and help are of one table.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { LISTED } from '../../src/cli/line/catalog.ts'
import { parseCommandLine } from '../../src/cli/line/command-line.ts'
import { COMMON_TITLE, withCommandTables } from '../../src/cli/line/docs.ts'
import { manualText } from '../../src/cli/line/manual.ts'
import { versionNumber } from '../../src/cli/runtime.ts'
import { SERVE_FLAGS } from '../../src/cli/serve-words.ts'
import { readPage, ROOT, rowsOf, sectionOf } from '../support/docs.ts'

test('man/sluice.1 is what npm run man writes', () => {
  const isCurrent = readFileSync(join(ROOT, 'man/sluice.1'), 'utf8') === manualText(versionNumber())

  assert.ok(isCurrent, 'man/sluice.1 is out of date: run npm run man')
})

test('the tables of docs/cli.md are what npm run man writes', () => {
  const page = readPage('docs/cli.md')

  assert.ok(withCommandTables(page) === page, 'docs/cli.md is out of date: run npm run man')
})

test('a stale table of docs/cli.md is written anew, and the text around it stays', () => {
  const page = readPage('docs/cli.md')
  const stale = page.replace('| `--wait DURATION` |', '| `--wiat DURATION` |')

  assert.notEqual(stale, page)
  assert.equal(withCommandTables(stale), page)
})

test('every command and every flag is on the page of the command line and in the manual page', () => {
  const page = readPage('docs/cli.md')
  const manual = manualText('1')
  const headings = [...page.matchAll(/^##+ (.*)$/gm)].map(([line, title = '']) => ({ line, title }))
  const common = flagsIn(sectionOf(page, `## ${COMMON_TITLE}`).split('\n### ')[0] ?? '')
  let found = 0

  for (const { name, flags } of LISTED) {
    assert.ok(manual.includes(`.SS "sluice ${name}"\n`), name)
    if (Object.keys(flags).length === 0) continue
    const [first = ''] = name.split(' ')
    const heading = headings.find(({ title }) => title.split(', ').includes(first))
    assert.ok(heading !== undefined, `docs/cli.md has no section for ${name}`)
    const own = flagsIn(sectionOf(page, heading.line))
    for (const flag of Object.keys(flags)) {
      found++
      assert.ok(own.has(flag) || (name !== first && common.has(flag)), `${name}: --${flag}`)
      assert.ok(manual.includes(`\\fB\\-\\-${flag.replaceAll('-', '\\-')}\\fR`), flag)
    }
  }
  assert.ok(found > 150)
})

function flagsIn(section: string): ReadonlySet<string> {
  return new Set(rowsOf(section).map(([cell = '']) => /^`--([\w-]+)/.exec(cell)?.[1] ?? ''))
}

test('every setting of serve has its variable on the page', () => {
  const rows = rowsOf(sectionOf(readPage('docs/cli.md'), '## serve'))
  for (const name of Object.keys(SERVE_FLAGS)) {
    const variable = `SLUICE_${name.toUpperCase().replaceAll('-', '_')}`
    assert.ok(
      rows.some(([flag = '', of]) => flag.startsWith(`\`--${name} `) && of === `\`${variable}\``),
    )
  }
})

test('no line of the manual page is taken for a request, and no backslash is lost', () => {
  const requests = /^\.(?:TH|SH|SS|PP|TP|in|EX|EE)\b/
  for (const line of manualText('1').split('\n')) {
    assert.ok(!/^[.']/.test(line) || requests.test(line), line)
    assert.doesNotMatch(line.replaceAll(/\\(?:f[BIR]|-|e|&)/g, ''), /\\/, line)
  }
})

test('man and completion take no more than they need', () => {
  assert.deepEqual(parseCommandLine(['man']), { kind: 'man' })
  assert.deepEqual(parseCommandLine(['completion', 'zsh']), { kind: 'completion', shell: 'zsh' })
  for (const [line, message] of [
    [['man', 'x'], 'sluice: man takes no "x" (see sluice man --help)'],
    [
      ['completion'],
      'sluice: completion needs a shell: bash, zsh, fish (see sluice completion --help)',
    ],
    [
      ['completion', 'fishh'],
      'sluice: there is no completion for "fishh", did you mean "fish"?; it is there for bash, zsh, fish (see sluice completion --help)',
    ],
  ] as const) {
    assert.deepEqual(parseCommandLine(line), { kind: 'usage-error', message })
  }
})
