/** The house of DESIGN.md 3, asserted on the import lines: who may know whom, how long a file may be, and no circles. */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

// From the ground up. The first ten are a ladder, a row each; folders of one row never import each other.
const ROWS = [
  ['model'],
  ['document'],
  ['options'],
  ['dns'],
  ['redis'],
  ['http'],
  ['http2'],
  ['scoreboard'],
  ['policy'],
  ['observe'],
  ['downstream', 'routing', 'middleware', 'upstream', 'providers', 'client', 'template'],
  ['schema'],
  ['gateway', 'control', 'health', 'acme', 'scaling', 'rendering'],
  ['admin', 'cli', 'agent'],
  ['process'],
  ['main.ts', 'vulcand.ts'],
]
/** Rooms of one folder, from the ground up: a room imports only from its own and from rooms before it. */
const LADDERS: ReadonlyMap<string, readonly string[]> = new Map([
  ['http', ['proxy-protocol', 'connection', 'message', 'grpc']],
  ['policy', ['breaking', 'health', 'limiting', 'retrying', 'scaling']],
  ['observe', ['reports', 'metrics']],
  ['upstream', ['connecting', 'endpoint', 'balancing']],
  ['rendering', ['confd']],
  ['acme', ['protocol', 'storage', 'names', 'orders', 'dns']],
  ['cli', ['bench', 'from', 'import', 'vulcand', 'drain', 'top', 'render', 'vctl', 'line']],
  ['agent', ['registrar', 'containers', 'spec', 'checks', 'config', 'watch']],
  ['control', ['sources', 'admission', 'writing', 'review', 'publication']],
  [
    'providers',
    [
      ...['registry', 'sealed', 'http-client', 'listing', 'layouts', 'labels'],
      ...['file', 'directory', 'embedded', 'dns', 'etcd', 'redis', 'zookeeper'],
      ...['certificates', 'consul-api', 'consul-kv', 'consul'],
      ...['docker', 'swarm', 'swarm-standalone'],
      ...['marathon', 'http', 'synapse', 'keys'],
      'catalog',
    ],
  ],
])
const MAX_LINES = 400

interface Import {
  readonly target: string
  /** Erased before the program runs, so a circle of such is none. */
  readonly isTypeOnly: boolean
}

/** Path from src to text. */
type Sources = ReadonlyMap<string, string>

/** A file or a folder, to what it imports. */
type Graph = ReadonlyMap<string, Iterable<string>>

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
  assert.deepEqual(circles(fileGraph(readSources())), [])
})

test('no folder imports itself over others', () => {
  assert.deepEqual(circles(folderGraph(readSources())), [])
})

test('the rooms of a folder import only from rooms before them', () => {
  const sources = readSources()

  const rooms = new Set([...sources.keys()].map((file) => posix.dirname(file)))

  assert.deepEqual(roomFaults(sources), [])
  for (const [folder, ladder] of LADDERS) {
    const found = [...rooms].filter((room) => posix.dirname(room) === folder).sort()
    assert.deepEqual(
      found,
      ladder.map((room) => `${folder}/${room}`).sort(),
      `the folders of src/${folder} are not those of LADDERS: name a new one before those that import it`,
    )
  }
})

// zod is 8 MB in each thread.
test('a serving thread loads no zod, no schema, and nothing that reads declarations', () => {
  const loaded = loadedBy('process/worker.ts', readSources())

  const reading = /^(?:document|options|schema|providers|control)\//
  assert.ok(loaded.size > 100)
  assert.deepEqual(
    [...loaded].filter(
      ([file, text]) => reading.test(file) || /^import (?!type\b).*'zod'$/m.test(text),
    ),
    [],
  )
})

test('the agent loads nothing that serves requests or reads routes', () => {
  const loaded = loadedBy('process/agent.ts', readSources())

  const serving =
    /^(?:downstream|routing|middleware|gateway|upstream\/(?:endpoint|balancing)|control\/(?!sources\/read-files))/
  assert.ok(loaded.size > 100)
  assert.deepEqual(
    [...loaded.keys()].filter((file) => serving.test(file)),
    [],
  )
})

test('the client needs no package, and of the proxy only the parser of events', () => {
  const loaded = loadedBy('client/client.ts', readSources())

  const foreign = [...loaded.keys()].filter((file) => !file.startsWith('client/'))
  const packages = [...loaded].filter(([, text]) => /\bfrom '(?!node:|\.)/.test(text))

  assert.deepEqual(foreign, ['http/server-sent-events.ts'])
  assert.deepEqual(
    packages.map(([file]) => file),
    [],
  )
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

  assert.deepEqual(circles(fileGraph(sources)), ['http/a.ts > http/b.ts > http/c.ts > http/a.ts'])
})

test('a circle of folders is found where no file imports itself, over any number of folders', () => {
  const sources = new Map([
    ['control/a.ts', `import { b } from './sources/b.ts'\n`],
    ['control/sources/b.ts', `import { c } from '../../http/c.ts'\n`],
    ['control/sources/d.ts', `import type { E } from '../e.ts'\n`],
    ['control/e.ts', `export interface E {}\n`],
    ['http/c.ts', `import { f } from './f.ts'\n`],
    ['http/f.ts', `import { g } from './read/g.ts'\n`],
    ['http/read/g.ts', `import { h } from '../write/h.ts'\n`],
    ['http/write/h.ts', `import { i } from '../i.ts'\n`],
    ['http/i.ts', ''],
  ])

  assert.deepEqual(circles(fileGraph(sources)), [])
  assert.deepEqual(circles(folderGraph(sources)), [
    'http > http/read > http/write > http',
    'control > control/sources > control',
  ])
})

test('a room that imports from a later room of its folder is found, and one that no ladder names', () => {
  const sources = new Map([
    ['control/sources/a.ts', `import type { B } from '../publication/b.ts'\n`],
    ['control/publication/b.ts', `import { c } from '../sources/c.ts'\n`],
    ['control/misc/d.ts', `import { c } from '../sources/c.ts'\n`],
    ['control/control.ts', `import { d } from './misc/d.ts'\n`],
    ['downstream/etcd/e.ts', `import { f } from '../redis/f.ts'\n`],
  ])

  assert.deepEqual(roomFaults(sources), [
    'control/sources/a.ts imports control/publication/b.ts',
    'control/misc/d.ts imports control/sources/c.ts',
  ])
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

/** The file, and all that it imports, at once or later. */
function loadedBy(file: string, sources: Sources): Sources {
  const loaded = new Map<string, string>()
  const load = (one: string): void => {
    if (loaded.has(one)) return
    loaded.set(one, sources.get(one) ?? '')
    for (const { target, isTypeOnly } of importsOf(one, loaded.get(one) ?? ''))
      if (!isTypeOnly) load(target)
  }
  load(file)
  return loaded
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

function roomFaults(sources: Sources): string[] {
  const rank = (file: string): number =>
    LADDERS.get(posix.dirname(posix.dirname(file)))?.indexOf(posix.basename(posix.dirname(file))) ??
    -1
  return [...sources].flatMap(([file, text]) => {
    const room = posix.dirname(file)
    if (!LADDERS.has(posix.dirname(room))) return []
    return importsOf(file, text)
      .filter(({ target }) => {
        const other = posix.dirname(target)
        const areSiblings = other !== room && posix.dirname(other) === posix.dirname(room)
        return areSiblings && !(rank(target) < rank(file))
      })
      .map(({ target }) => `${file} imports ${target}`)
  })
}

function fileGraph(sources: Sources): Graph {
  return new Map(
    [...sources].map(([file, text]) => [
      file,
      importsOf(file, text)
        .filter((one) => !one.isTypeOnly)
        .map(({ target }) => target),
    ]),
  )
}

/** Types count: they bind two folders as values do. `circular`: folders whose subfolders may import from them. */
function folderGraph(sources: Sources): Graph {
  const graph = new Map<string, Set<string>>()
  for (const [file, text] of sources) {
    const folder = posix.dirname(file)
    const needed = graph.get(folder) ?? new Set()
    graph.set(folder, needed)
    for (const { target } of importsOf(file, text)) {
      const other = posix.dirname(target)
      if (other !== folder) needed.add(other)
    }
  }
  return graph
}

function circles(graph: Graph): string[] {
  const found: string[] = []
  const done = new Set<string>()
  const visit = (node: string, path: readonly string[]): void => {
    const start = path.indexOf(node)
    if (start >= 0) found.push([...path.slice(start), node].join(' > '))
    if (start >= 0 || done.has(node)) return
    for (const needed of graph.get(node) ?? []) visit(needed, [...path, node])
    done.add(node)
  }
  for (const node of graph.keys()) visit(node, [])
  return found
}
