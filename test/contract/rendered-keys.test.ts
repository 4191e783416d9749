// needs: etcd, redis-server, consul, zookeeper
/** Templates over the keys of real registries: what confd reads, only what differs is written, and a registry that is away changes nothing. */
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test, type TestContext } from 'node:test'
import type { KeyStore } from '../../src/providers/store.ts'
import type { Resolver } from '../../src/dns/resolver.ts'
import { readResources } from '../../src/rendering/confd/resources.ts'
import { createRendering, type Rendering } from '../../src/rendering/rendering.ts'
import { resolverSchema } from '../../src/schema/resolver.ts'
import { parseKeySource } from '../../src/schema/key-source.ts'
import type { KeySourceSpec } from '../../src/model/template-settings.ts'
import { startConsul } from '../support/consul.ts'
import type { Daemon } from '../support/daemon.ts'
import { startEtcd } from '../support/etcd.ts'
import { openKeys } from '../support/keys.ts'
import { createKeyring } from '../support/keyring.ts'
import { makeFolder } from '../support/program.ts'
import { startRedis } from '../support/redis.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'
import { eventually } from '../support/until.ts'
import { startZookeeper } from '../support/zookeeper.ts'

const SERVERS = {
  etcd: startEtcd,
  redis: startRedis,
  'consul-kv': startConsul,
  zookeeper: startZookeeper,
} as const
type Kind = keyof typeof SERVERS
const RESOLVER = resolverSchema.parse(undefined)
const NAMES: Pick<Resolver, 'addressesOf' | 'hold' | 'release' | 'listen'> = {
  addressesOf: () => Promise.reject(new Error('no name is asked for here')),
  hold() {},
  release() {},
  listen: () => () => {},
}

interface Folder {
  readonly path: string
  add(name: string, toml: string, template: string): string
}

function makeConfdir(t: TestContext): Folder {
  const path = makeFolder(t)
  mkdirSync(join(path, 'conf.d'))
  mkdirSync(join(path, 'templates'))
  return {
    path,
    add(name, toml, template) {
      const dest = join(path, `${name}.conf`)
      const head = `[template]\nsrc = "${name}.tmpl"\ndest = "${dest}"\n`
      writeFileSync(join(path, 'conf.d', `${name}.toml`), head + toml)
      writeFileSync(join(path, 'templates', `${name}.tmpl`), template)
      return dest
    },
  }
}

function sourceAt(kind: Kind, endpoint: string, more: object = {}): KeySourceSpec {
  const place = { filename: '/', data: '', resolver: RESOLVER }
  const parsed = parseKeySource({ kind, endpoints: [endpoint], ...more }, {}, [], place)
  assert.ok(parsed.ok, JSON.stringify(parsed))
  return parsed.value
}

function open(
  t: TestContext,
  confdir: string,
  source: KeySourceSpec,
  lines: string[] = [],
  prefix = '',
): Rendering {
  const { templates, problems } = readResources({
    ...{ confdir, source, prefix, timeoutMs: 10_000, intervalMs: null },
    ...{ keepStage: false, noop: false, syncOnly: false },
  })
  assert.deepEqual(problems, [])
  const write = (_fields: object, message: string): void => void lines.push(message)
  const rendering = createRendering({
    templates,
    ...{ table: null, resolver: NAMES, resolverSettings: RESOLVER },
    log: { debug: write, info: write, warn: write, error: write },
  })
  t.after(() => rendering.stop())
  return rendering
}

function textOf(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}

async function put(keys: KeyStore, entries: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, text] of Object.entries(entries)) await keys.put(path, text, {})
}

const KEYS = {
  'database/host': '127.0.0.1',
  'database/password': 'p@sSw0rd',
  'database/port': '3306',
  'database/username': 'confd',
  'upstream/app1': '10.0.1.10:8080',
  'upstream/app2': '10.0.1.11:8080',
  'upstream-2/app3': '10.0.1.12:8080',
  single: 'foobar',
}
const BASIC = `[database]
host={{ getv "/database/host" }}
password={{ getv "/database/password" }}
port={{ getv "/database/port" }}
username={{ getv "/database/username" }}
`
const BASIC_TEXT = '[database]\nhost=127.0.0.1\npassword=p@sSw0rd\nport=3306\nusername=confd\n'
const BASIC_KEYS = ['host', 'password', 'port', 'username'].map((name) => `"/database/${name}"`)
const ITERATION = `upstream app {
{{- range gets "/upstream/*" }}
  server {{ .Value }};
{{- end }}
}
`

for (const kind of Object.keys(SERVERS) as Kind[]) {
  test(`${kind}: files are as confd renders them, and a change writes only what differs`, async (t) => {
    const server = await SERVERS[kind](t)
    const keys = await openKeys(kind, server.endpoint, '/app')
    t.after(() => keys.close())
    await put(keys, KEYS)
    const folder = makeConfdir(t)
    const prefix = 'prefix = "/app"\n'
    const basic = folder.add('basic', `${prefix}keys = [${BASIC_KEYS.join(', ')}]\n`, BASIC)
    const many = Array.from({ length: 60 }, () => BASIC_KEYS.join(', ')).join(',\n')
    const manykeys = folder.add('manykeys', `${prefix}keys = [\n${many},\n]\n`, BASIC)
    const iteration = folder.add(
      'iteration',
      `${prefix}mode = "0640"\nkeys = ["/upstream"]\n`,
      ITERATION,
    )
    const exists = folder.add(
      'exists',
      `${prefix}keys = ["/single"]\n`,
      '{{ if exists "/single" }}value: {{ getv "/single" }}{{ end }}{{ if exists "/none" }}x{{ end }}\n',
    )
    const all = folder.add(
      'all',
      'keys = ["/app"]\n',
      '{{range lsdir "/app"}}{{.}} {{end}}{{len (gets "/app/upstream/*")}}',
    )
    const lines: string[] = []
    const rendering = open(t, folder.path, sourceAt(kind, server.endpoint), lines)
    rendering.start()

    await eventually(
      () => rendering.reports().every(({ state }) => state === 'current'),
      'all files are rendered',
    ).catch((error: unknown) =>
      assert.fail(`${String(error)} ${JSON.stringify(rendering.reports())}`),
    )
    assert.equal(textOf(basic), BASIC_TEXT)
    assert.equal(textOf(manykeys), BASIC_TEXT)
    assert.equal(
      textOf(iteration),
      'upstream app {\n  server 10.0.1.10:8080;\n  server 10.0.1.11:8080;\n}\n',
    )
    assert.equal(statSync(iteration).mode & 0o777, 0o640)
    assert.equal(textOf(exists), 'value: foobar\n')
    assert.equal(textOf(all), 'database upstream upstream-2 2')

    const before = [basic, manykeys, exists, all].map((path) => statSync(path))
    await keys.put('upstream/app2', '10.0.1.99:8080', {})
    await eventually(() => textOf(iteration)?.includes('10.0.1.99'), 'the change is rendered')
    await keys.delete('upstream/app1', {})
    await eventually(() => !textOf(iteration)?.includes('10.0.1.10'), 'the removal is rendered')

    assert.equal(textOf(iteration), 'upstream app {\n  server 10.0.1.99:8080;\n}\n')
    await eventually(() => textOf(all) === 'database upstream upstream-2 1', 'the sum is rendered')
    const same = [basic, manykeys, exists].map((path) => statSync(path))
    assert.deepEqual(
      same.map(({ ino, mtimeMs }) => [ino, mtimeMs]),
      before.slice(0, 3).map(({ ino, mtimeMs }) => [ino, mtimeMs]),
    )
    assert.equal(lines.filter((line) => line.endsWith('basic.conf is written')).length, 1)
  })

  test(`${kind}: a registry that is away or comes back keeps the files, and a change is rendered then`, async (t) => {
    const server: Daemon & { readonly endpoint: string; readonly port: number } =
      await SERVERS[kind](t)
    const proxy = await startTcpProxy(t, server.port)
    const keys = await openKeys(kind, server.endpoint, '/app')
    t.after(() => keys.close())
    await put(keys, { 'upstream/app1': 'one' })
    const folder = makeConfdir(t)
    const dest = folder.add('iteration', 'prefix = "/app"\nkeys = ["/upstream"]\n', ITERATION)
    const rendering = open(t, folder.path, sourceAt(kind, proxy.address))
    rendering.start()
    await eventually(() => rendering.reports()[0]?.state === 'current', 'the file is rendered')
    const { ino, mtimeMs } = statSync(dest)

    await proxy.refuse()
    await eventually(
      () => rendering.reports()[0]?.reason?.startsWith('its keys may be old'),
      'the loss is reported',
    )
    const [away] = rendering.reports()
    assert.equal(away?.state, 'current')
    assert.deepEqual([statSync(dest).ino, statSync(dest).mtimeMs], [ino, mtimeMs])
    await keys.put('upstream/app1', 'two', {})
    await proxy.pass()

    await eventually(() => textOf(dest)?.includes('two'), 'the change is rendered after the return')
    await eventually(() => rendering.reports()[0]?.reason === null, 'all is well')
  })
}

test('values that crypt has sealed are opened with the keyring, and a wrong one keeps the file', async (t) => {
  const server = await startEtcd(t)
  const keyring = await createKeyring()
  const sealed = await keyring.seal('secret text')
  await server.put('/secret/a', sealed)
  await server.put('/secret/plain', 'plain')
  const folder = makeConfdir(t)
  const dest = folder.add(
    'secret',
    'prefix = "/secret"\nkeys = ["/"]\n',
    '{{cgetv "/a"}} {{(cget "/a").Value}}{{range cgets "/a*"}} {{.Key}}={{.Value}}{{end}}{{range cgetvs "/a*"}} {{.}}{{end}} {{getv "/plain"}}',
  )
  const wrong = folder.add('wrong', 'prefix = "/secret"\nkeys = ["/"]\n', '{{cgetv "/plain"}}')
  const source = sourceAt('etcd', server.endpoint, { decrypt: { keyring: keyring.secret } })
  const rendering = open(t, folder.path, source)

  const failures = await rendering.renderOnce(20_000)

  assert.equal(textOf(dest), 'secret text secret text /a=secret text secret text plain')
  assert.equal(textOf(wrong), null)
  assert.deepEqual([...failures], [['wrong', 'line 1: error calling cgetv: /plain: is not sealed']])
})

test('the whole registry is read where the keys are the root, and the prefix of all is cut off', async (t) => {
  for (const kind of Object.keys(SERVERS) as Kind[]) {
    const server = await SERVERS[kind](t)
    if ('command' in server) await server.command('SET', '/production/app/port', '80')
    else {
      const keys = await openKeys(kind, server.endpoint, '/production/app')
      await put(keys, { port: '80' })
      await keys.close()
    }
    const folder = makeConfdir(t)
    const whole = folder.add(
      'whole',
      'keys = ["/"]\n',
      '{{getv "/production/app/port"}} {{ls "/production"}}',
    )
    const cut = folder.add('cut', 'prefix = "/production/app"\nkeys = ["/"]\n', '{{getv "/port"}}')
    const leaf = folder.add(
      'leaf',
      'keys = ["/production/app/port"]\n',
      '{{getv "/production/app/port"}}',
    )
    const rendering = open(t, folder.path, sourceAt(kind, server.endpoint))

    const failures = await rendering.renderOnce(20_000)

    assert.deepEqual([...failures], [], kind)
    assert.equal(textOf(whole), '80 [app]', kind)
    assert.equal(textOf(cut), '80', kind)
    assert.equal(textOf(leaf), '80', kind)
    await rendering.stop()
  }
})

test('keys of the environment and of files are as confd reads them', async (t) => {
  process.env['RENDER_DATABASE_HOST'] = '10.0.0.1'
  after(() => delete process.env['RENDER_DATABASE_HOST'])
  const folder = makeConfdir(t)
  const yaml = join(folder.path, 'keys.yaml')
  writeFileSync(yaml, 'app:\n  port: 80\n  ratio: 0.5\n  on: true\n  list: [a, b]\n')
  const env = folder.add('env', 'keys = ["/render/database"]\n', '{{getv "/render/database/host"}}')
  const environment = open(t, folder.path, { kind: 'environment' })

  assert.deepEqual([...(await environment.renderOnce(1000))], [])
  assert.equal(textOf(env), '10.0.0.1')

  const other = makeConfdir(t)
  const file = other.add(
    'file',
    'keys = ["/app"]\n',
    '{{getv "/app/port"}} {{getv "/app/ratio"}} {{getv "/app/on"}} {{getvs "/app/list/*"}}',
  )
  const files = open(t, other.path, { kind: 'files', paths: [yaml] })
  files.start()
  await eventually(() => textOf(file) === '80 0.5 true [a b]', 'the file is rendered')
  writeFileSync(yaml, 'app: {port: 81, ratio: 1, on: false, list: []}\n')
  await eventually(() => textOf(file) === '81 1 false []', 'the change is rendered')
  writeFileSync(yaml, 'app: {port: [\n')
  await eventually(
    () => files.reports()[0]?.reason?.includes('is not valid YAML'),
    'what is wrong is reported',
  )
  assert.equal(textOf(file), '81 1 false []')
})
