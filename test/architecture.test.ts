/** The house of DESIGN.md 3, asserted on the import lines: who may know whom, how long a file may be, and no circles. */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

// From the ground up. The first six are a ladder, a row each; folders of one row never import each other.
const ROWS = [
  ['model'],
  ['dns'],
  ['http'],
  ['scoreboard'],
  ['policy'],
  ['observe'],
  ['downstream', 'routing', 'middleware', 'upstream', 'providers'],
  ['gateway', 'control', 'health'],
  ['admin', 'cli'],
  ['process'],
  ['main.ts'],
]
const MAX_LINES = 400

interface Import {
  readonly target: string
  /** Erased before the program runs, so a circle of such is none. */
  readonly isTypeOnly: boolean
}

/** Path from src to text. */
type Sources = ReadonlyMap<string, string>

test('every import leads to a lower row or stays in its folder', () => {
  assert.deepEqual(layerFaults(readSources()), [])
})

test('no file is longer than 400 lines', () => {
  const long = [...readSources()].filter(([, text]) => text.split('\n').length - 1 > MAX_LINES)

  assert.deepEqual(
    long.map(([file]) => file),
    [],
  )
})

test('no file imports itself over others', () => {
  assert.deepEqual(circles(readSources()), [])
})

test('nothing that decides about servers looks at the date, which may jump', () => {
  const deciding = [...readSources()].filter(([file]) => /^(?:policy|upstream|health)\//.test(file))

  const dated = deciding.filter(([, text]) => /\bDate\.now\b|\bnew Date\b/.test(text))
  const impure = deciding.filter(
    ([file, text]) => file.startsWith('policy/') && /\bperformance\.|\bMath\.random\b/.test(text),
  )

  assert.ok(deciding.length > 20)
  assert.deepEqual(
    [...dated, ...impure].map(([file]) => file),
    [],
  )
})

test('the layer rule catches siblings, upward imports and unknown folders, in every form of import', () => {
  const sources = new Map([
    ['downstream/a.ts', `import {\n  x,\n  y,\n} from '../upstream/b.ts'\nimport 'node:net'\n`],
    ['upstream/b.ts', `import type { Table } from '../gateway/c.ts'\n`],
    ['gateway/c.ts', `export { z } from '../downstream/a.ts'\nimport '../misc/d.ts'\n`],
    [
      'misc/d.ts',
      `const later = await import('../main.ts')\nexport const up = ['../observe/e.ts']\n`,
    ],
  ])

  assert.deepEqual(layerFaults(sources), [
    'downstream/a.ts imports upstream/b.ts',
    'upstream/b.ts imports gateway/c.ts',
    'gateway/c.ts imports misc/d.ts',
    'misc/d.ts imports main.ts',
  ])
})

test('a circle is found over any number of files, and one of types is none', () => {
  const sources = new Map([
    ['http/a.ts', `import { b } from './b.ts'\n`],
    ['http/b.ts', `import { c } from './c.ts'\n`],
    ['http/c.ts', `import { a } from './a.ts'\nimport type { D } from './d.ts'\n`],
    ['http/d.ts', `import { c } from './c.ts'\n`],
  ])

  assert.deepEqual(circles(sources), ['http/a.ts > http/b.ts > http/c.ts > http/a.ts'])
})

function readSources(): Sources {
  const root = fileURLToPath(new URL('../src/', import.meta.url))
  const files = globSync('**/*.ts', { cwd: root }).sort()
  assert.ok(files.length > 0, 'src has source files')
  return new Map(files.map((file) => [file, readFileSync(root + file, 'utf8')]))
}

function importsOf(file: string, text: string): Import[] {
  const form =
    /^(?:import|export)(\s+type)?\s[^'"`=()]*?\bfrom\s+'(\..*?)'|^import\s+'(\..*?)'|\bimport\('(\..*?)'\)/gm
  return [...text.matchAll(form)].map(([, type, ...paths]) => ({
    target: posix.join(posix.dirname(file), paths.find((path) => path !== undefined) ?? ''),
    isTypeOnly: type !== undefined,
  }))
}

function layerFaults(sources: Sources): string[] {
  const place = (file: string): string => file.split('/')[0] ?? ''
  const row = (file: string): number => ROWS.findIndex((names) => names.includes(place(file)))
  const isAllowed = (from: string, to: string): boolean =>
    row(from) >= 0 && row(to) >= 0 && (place(from) === place(to) || row(to) < row(from))
  return [...sources].flatMap(([file, text]) =>
    importsOf(file, text)
      .filter(({ target }) => !isAllowed(file, target))
      .map(({ target }) => `${file} imports ${target}`),
  )
}

function circles(sources: Sources): string[] {
  const found: string[] = []
  const done = new Set<string>()
  const visit = (file: string, way: readonly string[]): void => {
    const start = way.indexOf(file)
    if (start >= 0) found.push([...way.slice(start), file].join(' > '))
    if (start >= 0 || done.has(file)) return
    const needed = importsOf(file, sources.get(file) ?? '').filter((one) => !one.isTypeOnly)
    for (const { target } of needed) visit(target, [...way, file])
    done.add(file)
  }
  for (const file of sources.keys()) visit(file, [])
  return found
}
