/** The words of `sluice render`, what confd's settings mean, and confd's resources. */
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { resolveConfd, type ConfdSettings } from '../../src/cli/render/confd-settings.ts'
import { runRender } from '../../src/cli/render/run.ts'
import { RENDER } from '../../src/cli/render/words.ts'
import { readWords } from '../../src/cli/words.ts'
import { openResolver } from '../../src/dns/open-resolver.ts'
import { readResources, type Resources } from '../../src/rendering/confd/resources.ts'
import { resolverSchema } from '../../src/schema/resolver.ts'
import { makeFolder } from '../support/program.ts'

const resolver = resolverSchema.parse(undefined)

function parse(...words: readonly string[]): ReturnType<typeof RENDER.parse> | string {
  const read = readWords(RENDER, words)
  return typeof read === 'string' ? read : RENDER.parse(read)
}

function settingsOf(
  words: readonly string[],
  files: Readonly<Record<string, string>> = {},
): ConfdSettings {
  const command = parse(...words)
  assert.ok(typeof command === 'object' && command.kind === 'render', JSON.stringify(command))
  return resolveConfd(command.flags, {
    env: { CONFD_CLIENT_CERT: '' },
    readFile: (path) => files[path] ?? assert.fail(path),
    isThere: (path) => path in files,
    resolver,
  })
}

function errorOf(words: readonly string[], files: Readonly<Record<string, string>> = {}): string {
  try {
    return `no error: ${JSON.stringify(settingsOf(words, files))}`
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** Of a registry: its kind and what is said of it. */
function sourceOf(words: readonly string[]): object {
  const { source } = settingsOf(words)
  if (source.kind !== 'registry') return source
  const { kind, endpoints, database, password, tls } = source.source as never
  return { kind, endpoints, database, password, tls, keyring: source.keyring }
}

test('flags are those of confd, with one dash or two', () => {
  const settings = settingsOf([
    '-onetime',
    '--noop',
    '-confdir=/srv/confd',
    '-interval',
    '5',
    '-prefix',
    '/p',
    '-keep-stage-file',
    '-sync-only',
  ])

  assert.deepEqual(
    { ...settings, source: null },
    {
      ...{ confdir: '/srv/confd', source: null, prefix: '/p', isOnce: true, isWatching: false },
      ...{ intervalMs: 5000, timeoutMs: 60_000, noop: true, syncOnly: true, keepStage: true },
      ...{ level: 'info', remarks: [] },
    },
  )
  assert.deepEqual(settingsOf([]).confdir, '/etc/confd')
  assert.equal(settingsOf(['--watch']).isWatching, true)
})

test('wrong words are said', () => {
  assert.equal(parse('x'), 'render takes no "x"')
  assert.equal(parse('--template', 'a', '--noop'), '--noop is not used with --template')
  assert.equal(parse('--admin-address', ':1'), '--admin-address is used with --template only')
  assert.match(String(parse('--onetme')), /did you mean "--onetime"/)
  const command = parse('--template', 'a.tmpl', '--vulcan', 'http://127.0.0.1:1')
  assert.ok(typeof command === 'object' && command.kind === 'render-template')
  assert.deepEqual([command.file, command.place.vulcan], ['a.tmpl', 'http://127.0.0.1:1'])
})

test('a backend and its nodes are a source', () => {
  const none = { database: undefined, password: null, tls: null, keyring: null }
  for (const [words, source] of [
    [[], { ...none, kind: 'etcd', endpoints: ['127.0.0.1:2379'] }],
    [
      ['-backend', 'etcdv3', '-node', 'http://a:1', '-node', 'b:2'],
      { ...none, kind: 'etcd', endpoints: ['a:1', 'b:2'] },
    ],
    [['-backend', 'consul'], { ...none, kind: 'consul-kv', endpoints: ['127.0.0.1:8500'] }],
    [
      ['-backend', 'zookeeper', '-node', 'zk1:2181', '-node', 'zk2:2181'],
      { ...none, kind: 'zookeeper', endpoints: ['zk1:2181', 'zk2:2181'] },
    ],
    [
      ['-backend', 'redis', '-node', 'r:6380/3', '-client-key', 'pw'],
      { ...none, kind: 'redis', endpoints: ['r:6380'], database: 3, password: 'pw' },
    ],
    [['-backend', 'env'], { kind: 'environment' }],
    [
      ['-backend', 'file', '-file', '/a.yaml', '-file', '/b'],
      { kind: 'files', paths: ['/a.yaml', '/b'] },
    ],
    [
      ['-node', 'a:1', '-scheme', 'https', '-client-ca-keys', '/ca', '-secret-keyring', '/keys'],
      {
        ...{ ...none, kind: 'etcd', endpoints: ['a:1'], keyring: '/keys' },
        tls: { ca: '/ca', cert: null, key: null, serverName: null, verify: true },
      },
    ],
  ] as const) {
    assert.deepEqual(sourceOf(words), source, words.join(' '))
  }
})

test('what has no meaning is an error', () => {
  for (const [words, message] of [
    [
      ['-backend', 'vault'],
      '--backend must be one of etcd, etcdv3, consul, redis, zookeeper, env, file, not "vault"',
    ],
    [['-interval', '0'], '--interval must be seconds, from 1 to 2073600 (24 days), not "0"'],
    // A timer of Node.js that waits longer ends at once.
    [
      ['-interval', '2592000'],
      '--interval must be seconds, from 1 to 2073600 (24 days), not "2592000"',
    ],
    [['-timeout', 'x'], null],
    [['-node', 'ftp://a'], null],
    [['-backend', 'file'], 'the backend file: paths: must name at least one file'],
    [
      ['-backend', 'redis', '-node', 'a', '-node', 'b'],
      '--node: Redis has one node; name the one to read',
    ],
    [['-scheme', 'ftp'], '--scheme must be http or https, not "ftp"'],
    [['-log-level', 'x'], '--log-level must be one of debug, info, warn, error, not "x"'],
    [['-username', 'u'], null],
  ] as const) {
    const error = errorOf(words)
    assert.ok(!error.startsWith('no error'), `${words.join(' ')}: ${error}`)
    if (message !== null) assert.equal(error, message)
  }
})

test('the file of confd is below the flags', () => {
  const file = `backend = "consul"
nodes = ["10.0.0.1:8500"]
prefix = "/file"
interval = 30
watch = true
Noop = true
auth_token = "x"
`
  const settings = settingsOf(['--confdir', '/c', '--prefix', '/flag'], { '/c/confd.toml': file })

  assert.equal(settings.prefix, '/flag')
  assert.deepEqual([settings.isWatching, settings.noop, settings.intervalMs], [true, true, 30_000])
  assert.ok(settings.source.kind === 'registry')
  assert.equal(settings.source.source.kind, 'consul-kv')
  assert.deepEqual(settings.remarks, ['/c/confd.toml: auth_token has no effect'])
  assert.equal(
    errorOf(['--config-file', '/x'], { '/x': 'noop = 1' }),
    '/x: noop must be true or false, not 1',
  )
  assert.equal(
    errorOf(['--config-file', '/x'], { '/x': 'noop' }),
    '/x: is not valid TOML: = is missing behind a key',
  )
})

function resources(files: Readonly<Record<string, string>>, folder: string): Resources {
  mkdirSync(join(folder, 'conf.d', 'more'), { recursive: true })
  for (const [name, text] of Object.entries(files))
    writeFileSync(join(folder, 'conf.d', name), text)
  return readResources({
    ...{
      confdir: folder,
      source: { kind: 'environment' },
      prefix: '',
      timeoutMs: 1,
      intervalMs: null,
    },
    ...{ keepStage: true, noop: false, syncOnly: false },
  })
}

test('a resource is a template, and one with a mistake is left out', (t) => {
  const folder = makeFolder(t)
  const { templates, problems, remarks } = resources(
    {
      'a.toml':
        '[template]\nsrc = "a.tmpl"\ndest = "/x/a"\nkeys = ["/b", "c/*"]\nprefix = "p"\nuid = 3\nmode = "0640"\ncheck_cmd = "true"\n',
      'b.toml': '[template]\nsrc = "a.tmpl"\ndest = "/x/a"\n',
      'more/c.toml':
        '[Template]\nSrc = "c.tmpl"\nDest = "/x/c"\nowner = "root"\nreload_cmd = "cp {{.src}} /x/d"\n',
      'd.toml': '[template]\ndest = "/x/d"\n',
      'e.toml': 'x = \n',
      'f.toml': '[template]\nsrc = "a"\ndest = "/x/f"\nmode = "644"\n',
      'g.toml': 'src = "a"\n',
      'h.toml': '[template]\nsrc = "a"\ndest = "/x/h"\nuid = "root"\n',
      'note.txt': 'x',
    },
    folder,
  )

  assert.deepEqual(templates[0], {
    ...{ name: 'a', dest: '/x/a', text: { path: join(folder, 'templates/a.tmpl') } },
    keys: { source: { kind: 'environment' }, prefix: '/p', read: ['/p/b', '/p/c'] },
    ...{ mode: 0o640, uid: 3, gid: null, check: 'true', reload: null },
    ...{ timeoutMs: 1, intervalMs: null, keepStage: true, noop: false, syncOnly: false },
    ...{ settleMs: 100, minIntervalMs: 0 },
  })
  assert.deepEqual(
    templates.map(({ name }) => name),
    ['a', 'more/c'],
  )
  const shown = problems.map((problem) =>
    problem.replace(`${folder}/conf.d/`, '').replace(folder, ''),
  )
  assert.deepEqual(shown, [
    'b.toml: dest: /conf.d/a.toml writes /x/a already',
    'd.toml: template.src is missing: the file in templates',
    'e.toml:1:5: is not valid TOML: "" is no value; text needs quotes',
    'f.toml: template.mode must be octal text that begins with a 0, such as "0644", not "644"',
    'g.toml: has no table [template]',
    'h.toml: template.uid must be a number, not "root"',
  ])
  assert.deepEqual(remarks, [
    `${folder}/conf.d/more/c.toml: template.owner has no effect`,
    `${folder}/conf.d/more/c.toml: {{.src}} and {{.dest}} have no effect in template.reload_cmd: the file is /x/c by then`,
  ])
  assert.throws(() => resources({}, join(folder, 'none\0')), /cannot read|null bytes/)
})

test('flags of other backends, and a login without a name, are remarked on', () => {
  const remarksOf = (...words: readonly string[]): readonly string[] => settingsOf(words).remarks

  const of = 'has no effect with the backend'
  assert.deepEqual(
    remarksOf('-backend', 'etcd', '-node', 'a:1', '-username', 'u', '-password', 'p'),
    [],
  )
  assert.deepEqual(remarksOf('-backend', 'consul', '-username', 'u', '-password', 'p'), [
    `username ${of} consul`,
    `password ${of} consul`,
  ])
  assert.deepEqual(remarksOf('-backend', 'env', '-node', 'a:1'), [`node ${of} env`])
  assert.deepEqual(remarksOf('-backend', 'etcd', '-file', 'a.yaml'), [`file ${of} etcd`])
  assert.deepEqual(remarksOf('-basic-auth'), ['basic-auth has no effect without username'])
})

test('a signal ends a run of one time that waits for its registry', async (t) => {
  const path = makeFolder(t)
  mkdirSync(join(path, 'conf.d'))
  mkdirSync(join(path, 'templates'))
  writeFileSync(join(path, 'templates', 'a'), '{{getv "/a"}}')
  const resource = `[template]\nsrc = "a"\ndest = "${path}/out"\nkeys = ["/a"]\n`
  writeFileSync(join(path, 'conf.d', 'a.toml'), resource)
  const command = parse('-onetime', '-confdir', path, '-backend', 'etcd', '-node', '127.0.0.1:1')
  assert.ok(typeof command === 'object' && command.kind === 'render')
  const lines: string[] = []
  const names = openResolver(resolver)
  t.after(() => names.stop())

  const code = await runRender(command.flags, {
    ...{ env: {}, resolver, names, stop: Promise.resolve('SIGTERM') },
    readFile: (file) => assert.fail(file),
    isThere: () => false,
    readPem: (file) => assert.fail(file),
    complain: (line) => void lines.push(line),
  })

  assert.equal(code, 1)
  assert.equal(lines.at(-1), 'sluice: a signal has ended it before all was rendered')
})
