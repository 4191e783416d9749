// Issue: "`sluice import vulcand` checks a live key tree and explains what would differ".
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { readApi } from '../../src/cli/import/api.ts'
import { readDump } from '../../src/cli/import/dump.ts'
import { importVulcand } from '../../src/cli/import/import.ts'
import { parseImportWords, type ImportCommand } from '../../src/cli/import/words.ts'
import { checkFile } from '../../src/cli/check.ts'
import { checkDocument } from '../../src/control/review/check-document.ts'
import { openImport } from '../../src/process/import.ts'

interface Imported {
  readonly code: number
  readonly lines: readonly string[]
  readonly errors: readonly string[]
}

/** Without the prefix. */
type Tree = Readonly<Record<string, unknown>>

async function importDump(
  t: TestContext,
  tree: Tree | string,
  options: Partial<ImportCommand> = {},
): Promise<Imported> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-import-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'dump')
  const entries = typeof tree === 'string' ? [] : Object.entries(tree)
  const keys = Object.fromEntries(entries.map(([key, value]) => [`vulcand/${key}`, value]))
  writeFileSync(path, typeof tree === 'string' ? tree : JSON.stringify(keys))
  const lines: string[] = []
  const errors: string[] = []
  const from = { kind: 'dump', path, prefix: 'vulcand' } as const
  const command: ImportCommand = {
    ...{ kind: 'import', from, sealKey: null, json: false, write: null },
    ...options,
  }
  const world = openImport(
    (line) => void lines.push(line.replaceAll(path, 'dump')),
    (line) => void errors.push(line.replaceAll(path, 'dump')),
    null,
  )
  return { code: await importVulcand(command, world), lines, errors }
}

const backend = { Type: 'http' }
const frontend = (Route: string, BackendId = 'b', Settings: object = {}): object => ({
  ...{ Type: 'http', Route, BackendId, Settings },
})
const stays = { FailoverPredicate: 'IsNetworkError()' }

test('a tree that means the same has only rows that map, and the code 0', async (t) => {
  const { code, lines, errors } = await importDump(t, {
    'listeners/DefaultListener': {
      ...{ Protocol: 'http', Address: { Network: 'tcp', Address: '127.0.0.1:8181' } },
    },
    'backends/b/backend': backend,
    'backends/b/servers/s': { URL: 'http://127.0.0.1:5000' },
    'frontends/f/frontend': frontend('Host("a.example")', 'b', stays),
  })

  assert.deepEqual([code, errors], [0, []])
  assert.deepEqual(
    lines.map((line) => line.split('  ')[0]),
    ['maps', 'maps', 'maps', 'maps', 'dump: 4 map'],
  )
})

/** Each tree is beside a backend `b` with a server. */
const FINDINGS: readonly (readonly [
  title: string,
  tree: Tree,
  verdict: 'differs' | 'not there' | 'note',
  finding: RegExp,
])[] = [
  [
    'a path that a route of another host takes first in vulcand',
    {
      'frontends/p/frontend': frontend('Path("/p")'),
      'frontends/h/frontend': frontend('Host("a.example") && Path("/p")'),
    },
    'differs',
    /frontend p: takes GET a\.example\/p in vulcand, because its text comes last; in Sluice frontend "h" takes it/,
  ],
  [
    'a catch-all expression before all hosts',
    {
      'frontends/all/frontend': frontend('PathRegexp("/.*")'),
      'frontends/h/frontend': frontend('Host("a.example")'),
    },
    'differs',
    /frontend all: takes GET a\.example\/ in vulcand/,
  ],
  [
    'a number at the end of a path',
    { 'frontends/n/frontend': frontend('Path("/i/<int:id>")') },
    'differs',
    /frontend n: "\/i\/<int>" ends in <int:...>, which matches nothing in vulcand/,
  ],
  [
    'two frontends of one text',
    {
      'frontends/x/frontend': frontend('Path("/p")'),
      'frontends/y/frontend': frontend('Path("/p")'),
    },
    'differs',
    /frontend y: has the route of frontend "x": vulcand has one route for both/,
  ],
  [
    'a class that vulcand lowers',
    { 'frontends/c/frontend': frontend('HostRegexp("\\\\S+\\\\.example")') },
    'differs',
    /HostRegexp: vulcand reads \\S as \\s/,
  ],
  [
    'routes that vulcand merges',
    {
      'frontends/a/frontend': frontend('Host("a.example") && Path("/x")'),
      'frontends/m/frontend': frontend('Host("a.example") && Method("POST") && Path("/x")'),
    },
    'note',
    /frontend a: may be unreachable in vulcand \(404\) while frontend "m" exists/,
  ],
  [
    'names of backends that begin alike',
    { 'backends/b1/backend': backend, 'backends/b1/servers/s': { URL: 'http://127.0.0.1:1' } },
    'note',
    /backend b: after a restart vulcand also sends its requests to the servers of "b1"/,
  ],
  [
    'two servers of one URL',
    { 'backends/b/servers/s2': { URL: 'http://127.0.0.1:5000' } },
    'note',
    /server b\/s2: .* is already the server "s", as in vulcand/,
  ],
  [
    'a rate limit without a burst',
    {
      'frontends/r/frontend': frontend('Path("/r")'),
      'frontends/r/middlewares/m': {
        ...{
          Type: 'ratelimit',
          Middleware: { PeriodSeconds: 1, Requests: 1, Variable: 'client.ip' },
        },
      },
    },
    'not there',
    /middleware r\/m: .*Burst.*vulcand responds with 404 to all requests/,
  ],
  [
    'a middleware that is not known',
    {
      'frontends/r/frontend': frontend('Path("/r")'),
      'frontends/r/middlewares/m': { Type: 'ourauth', Middleware: {} },
    },
    'not there',
    /middleware r\/m: is closed, requests get 503/,
  ],
  [
    'middlewares of one priority',
    {
      'frontends/r/frontend': frontend('Path("/r")'),
      'frontends/r/middlewares/m1': {
        ...{ Type: 'connlimit', Middleware: { Connections: 1, Variable: 'client.ip' } },
      },
      'frontends/r/middlewares/m2': {
        ...{ Type: 'connlimit', Middleware: { Connections: 1, Variable: 'request.host' } },
      },
    },
    'note',
    /middleware r\/m2: has the priority of "m1": vulcand orders them at random/,
  ],
  [
    'a frontend of a backend that does not exist',
    { 'frontends/w/frontend': frontend('Path("/w")', 'nowhere') },
    'not there',
    /frontend w: .*nowhere/,
  ],
  [
    'a frontend without a failover predicate',
    { 'frontends/g/frontend': frontend('Path("/g")') },
    'note',
    /1 frontend has no FailoverPredicate: vulcand sends a GET/,
  ],
  [
    'the value null, at which vulcand ends',
    { 'frontends/nil/frontend': null },
    'not there',
    /frontend nil: /,
  ],
]

for (const [title, tree, verdict, finding] of FINDINGS) {
  test(`${title} is found`, async (t) => {
    const { code, lines } = await importDump(t, {
      'backends/b/backend': backend,
      'backends/b/servers/s': { URL: 'http://127.0.0.1:5000' },
      ...tree,
    })

    const found = lines.filter((line) => finding.test(line))
    assert.equal(found.length, 1, lines.join('\n'))
    assert.ok(found[0]?.startsWith(verdict), String(found[0]))
    if (verdict !== 'note') assert.equal(code, 1)
  })
}

test('routes whose order is the same are not reported', async (t) => {
  const { lines } = await importDump(t, {
    'backends/b/backend': backend,
    'frontends/a/frontend': frontend('Host("a.example") && Path("/p/<x>")'),
    'frontends/b/frontend': frontend('Host("a.example") && Path("/p/z")'),
    'frontends/c/frontend': frontend('Host("a.example")'),
    'frontends/d/frontend': frontend('Host("b.example")'),
  })

  assert.deepEqual(
    lines.filter((line) => line.startsWith('differs')),
    [],
  )
})

test('--write writes a file that sluice check accepts, and no file over another', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-import-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const tree = {
    'backends/b/backend': { Type: 'http', Settings: { Timeouts: { Dial: '2s' } } },
    'backends/b/servers/s': { URL: 'http://127.0.0.1:5000' },
    'frontends/f/frontend': frontend('Host("a.example")'),
    'frontends/f/middlewares/late': {
      ...{ Type: 'connlimit', Priority: 2, Middleware: { Connections: 7, Variable: 'client.ip' } },
    },
    'frontends/f/middlewares/early': {
      Type: 'ratelimit',
      Priority: 1,
      Middleware: {
        PeriodSeconds: 1,
        Requests: 2,
        Burst: 3,
        Variable: 'client.ip',
      },
    },
    'frontends/f/middlewares/third': {
      Type: 'cbreaker',
      Priority: 3,
      Middleware: {
        Condition: 'NetworkErrorRatio() > 0.5',
        Fallback: { Type: 'response', Action: { StatusCode: 400 } },
        OnTripped: {
          Type: 'webhook',
          Action: { URL: 'http://a.example/', Method: 'POST', Body: `$\{HOME}` },
        },
      },
    },
    'frontends/shut/frontend': frontend('Path("/shut")'),
    'frontends/shut/middlewares/m': { Type: 'ourauth', Middleware: {} },
  }
  for (const name of ['sluice.yaml', 'sluice.json']) {
    const write = join(folder, name)
    await importDump(t, tree, { write })
    const again = await importDump(t, tree, { write })
    const printed: string[] = []
    const world = { env: {}, readFile: () => '' }
    const code = checkFile(
      write,
      (one) => checkDocument(write, one),
      world,
      (line) => printed.push(line),
    )

    assert.deepEqual(
      printed.filter((line) => !line.includes('is sent as it is')),
      [`${write}: 1 warning`],
    )
    assert.equal(code, 1)
    assert.equal(again.code, 2)
    assert.match(again.errors[0] ?? '', /cannot write .*exist/)
    assert.equal(statSync(write).mode & 0o777, 0o600)
    const text = readFileSync(write, 'utf8')
    assert.match(text, /DefaultListener/)
    assert.ok(text.indexOf('ratelimit') < text.indexOf('connlimit'))
    assert.match(text, /\$\$\{HOME\}/)
    assert.match(text, /503/)
  }
})

test('--json has the same rows', async (t) => {
  const tree = {
    'backends/b/backend': backend,
    'frontends/n/frontend': frontend('Path("/<int:x>")'),
  }

  const { lines } = await importDump(t, tree, { json: true })

  const { counts, rows } = JSON.parse(lines.join('\n')) as {
    counts: Record<string, number>
    rows: { verdict: string; place: string; text: string }[]
  }
  assert.equal(counts['differs'], 1)
  const [differs] = rows.filter(({ verdict }) => verdict === 'differs')
  assert.equal(differs?.place, 'vulcand/frontends/n/frontend')
})

test('what etcdctl prints is read, plain and as JSON', () => {
  const base64 = (text: string): string => Buffer.from(text).toString('base64')
  const kvs = [{ key: base64('/v/hosts/h/host'), value: base64('{"Name":"h"}\n') }]
  const keys = [{ key: '/v/hosts/h/host', text: '{"Name":"h"}' }]

  assert.deepEqual(readDump('/v/hosts/h/host\n{"Name":"h"}\n\n', '/v'), keys)
  assert.equal(readDump(JSON.stringify({ kvs, count: 1 }), '/v')[0]?.text, '{"Name":"h"}\n')
  assert.throws(
    () => readDump('v/hosts/h/host\n{}\n', '/v'),
    /there are some below "v": --prefix v/,
  )
  assert.throws(() => readDump('{"kvs":[{"key":1}]}', '/v'), /"kvs" holds something else/)
})

test('a plain dump in which a value is empty is refused, and not read with other values', () => {
  const lines = ['/v/hosts/h/host', '', '/v/backends/b/backend', '{}', '/v/listeners/l', '{}', '']

  assert.throws(() => readDump(lines.join('\n'), '/v'), /line 4 .* no key.*-w json/)
})

test('a redirect of an API is not followed', async (t) => {
  const server = createServer((request, response) => {
    if (request.url === '/v2/hosts') response.writeHead(302, { location: '/elsewhere' })
    response.end('{"Hosts":[]}')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => void server.close())
  const { port } = server.address() as AddressInfo
  const from = { kind: 'api', url: `http://127.0.0.1:${port}` } as const

  const { code, errors } = await importDump(t, '', { from })

  assert.equal(code, 2)
  assert.match(errors[0] ?? '', /cannot read .*\/v2\/hosts responds with 302: "/)
})

test('an object of the API that is deleted meanwhile does not end the import', async () => {
  const answers: Record<string, unknown> = {
    '/v2/hosts': { Hosts: [] },
    '/v2/listeners': { Listeners: [] },
    '/v2/backends': { Backends: [{ Id: 'b', Type: 'http' }] },
    '/v2/frontends': { Frontends: [{ Id: 'f', Type: 'http' }] },
  }
  const keys = await readApi((path) => Promise.resolve(answers[path]))
  assert.deepEqual(
    keys.map(({ key }) => key),
    ['vulcand/backends/b/backend', 'vulcand/frontends/f/frontend'],
  )
  await assert.rejects(
    readApi(() => Promise.resolve(undefined)),
    /\/v2\/hosts has no Hosts: it is not vulcand's API/,
  )
})

test('the objects of an API are read, with lists that are null', async () => {
  const answers: Record<string, unknown> = {
    '/v2/hosts': { Hosts: null },
    '/v2/listeners': { Listeners: [{ Id: 'l' }] },
    '/v2/backends': { Backends: [{ Id: 'a b' }] },
    '/v2/backends/a%20b/servers': { Servers: [{ Id: 's', URL: 'http://x' }] },
    '/v2/frontends': { Frontends: [{ Id: 'f' }] },
    '/v2/frontends/f/middlewares': { Middlewares: [{ Id: 'm' }] },
  }

  const keys = await readApi((path) => Promise.resolve(answers[path]))

  assert.deepEqual(
    keys.map(({ key }) => key),
    [
      'vulcand/listeners/l',
      ...['vulcand/backends/a b/backend', 'vulcand/backends/a b/servers/s'],
      ...['vulcand/frontends/f/frontend', 'vulcand/frontends/f/middlewares/m'],
    ],
  )
  await assert.rejects(
    readApi(() => Promise.resolve({})),
    /\/v2\/hosts has no Hosts: it is not vulcand's API/,
  )
})

test('words that make no sense together are refused', () => {
  const mistakes: readonly (readonly [string[], Record<string, string>, RegExp])[] = [
    [[], {}, /needs what to import/],
    [['traefik'], {}, /import knows vulcand, not "traefik"/],
    [['vulcand', 'x'], {}, /takes no "x"/],
    [['vulcand'], {}, /needs one of --etcd, --api and --dump/],
    [['vulcand'], { etcd: 'a', api: 'b' }, /needs one of --etcd, --api and --dump/],
    [['vulcand'], { api: 'b', prefix: 'p' }, /--prefix has no effect with --api/],
    [['vulcand'], { api: 'b:1' }, /--api must be http:.*, not "b:1"/],
    [['vulcand'], { dump: 'b', ca: 'p' }, /--ca has no effect with --dump/],
    [['vulcand'], { dump: 'b', 'seal-key': 'short' }, /must be 64 hexadecimal digits/],
  ]
  for (const [words, flags, mistake] of mistakes) {
    assert.match(String(parseImportWords(words, flags, {})), mistake)
  }
})

test('secrets may be in the environment', () => {
  const env = { ETCD_PASSWORD: 'p', SEAL_KEY: 'ab'.repeat(32) }

  const command = parseImportWords(['vulcand'], { etcd: 'http://a', username: 'u' }, env)

  assert.ok(typeof command === 'object' && command.from.kind === 'etcd')
  assert.deepEqual([command.from.password, command.sealKey], ['p', 'ab'.repeat(32)])
})
