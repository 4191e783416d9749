// needs: etcd, redis-server, zookeeper
/** Keys and values that cannot be read: a template never silently lacks them. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import type { Resolver } from '../../src/dns/resolver.ts'
import type { KeySourceSpec, TemplateSettings } from '../../src/model/template-settings.ts'
import { createRendering, type Rendering } from '../../src/rendering/rendering.ts'
import { parseKeySource } from '../../src/schema/key-source.ts'
import { resolverSchema } from '../../src/schema/resolver.ts'
import { startEtcd } from '../support/etcd.ts'
import { startKazoo } from '../support/kazoo.ts'
import { makeFolder } from '../support/program.ts'
import { startRedis } from '../support/redis.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'
import { eventually } from '../support/until.ts'
import { startZookeeper } from '../support/zookeeper.ts'

const RESOLVER = resolverSchema.parse(undefined)
const NAMES: Pick<Resolver, 'addressesOf' | 'hold' | 'release' | 'listen'> = {
  addressesOf: () => Promise.reject(new Error('no name is asked for here')),
  hold() {},
  release() {},
  listen: () => () => {},
}
const BAD = Buffer.of(0x63, 0x61, 0x66, 0xe9)

function sourceOf(form: object): KeySourceSpec {
  const parsed = parseKeySource(form, {}, [], { filename: '/', data: '', resolver: RESOLVER })
  assert.ok(parsed.ok, JSON.stringify(parsed))
  return parsed.value
}

function open(
  t: TestContext,
  source: KeySourceSpec,
  template: string,
): { rendering: Rendering; lines: string[]; dest: string } {
  const dest = join(makeFolder(t), 'a.conf')
  const settings: TemplateSettings = {
    ...{ name: 'a', text: { inline: template }, dest, mode: null, uid: null, gid: null },
    keys: { source, prefix: '/app', read: ['/app'] },
    ...{ check: null, reload: null, timeoutMs: 10_000, settleMs: 0, minIntervalMs: 0 },
    ...{ intervalMs: null, keepStage: false, noop: false, syncOnly: false },
  }
  const lines: string[] = []
  const write = (_fields: object, message: string): void => void lines.push(message)
  const rendering = createRendering({
    ...{ templates: [settings], table: null, resolver: NAMES, resolverSettings: RESOLVER },
    log: { debug: write, info: write, warn: write, error: write },
  })
  t.after(() => rendering.stop())
  return { rendering, lines, dest }
}

const SERVERS = {
  async etcd(t: TestContext) {
    const { endpoint, put, call } = await startEtcd(t)
    return {
      endpoint,
      put: async (key: Buffer, value: Buffer): Promise<void> => {
        if (key.includes(0xe9)) {
          const [bytes, text] = [key, value].map((one) => one.toString('base64'))
          await call('/v3/kv/put', { key: bytes, value: text })
        } else await put(key.toString(), value)
      },
    }
  },
  async redis(t: TestContext) {
    const { endpoint, command } = await startRedis(t)
    return {
      endpoint,
      put: async (key: Buffer, value: Buffer): Promise<void> => {
        await command('SET', key, value)
      },
    }
  },
}

for (const [kind, start] of Object.entries(SERVERS)) {
  test(`${kind}: keys that are not UTF-8 are left out of templates, and one line says so`, async (t) => {
    const server = await start(t)
    const name = (text: string | Buffer): Buffer =>
      Buffer.concat([Buffer.from('/app/'), Buffer.from(text)])
    await server.put(name('one'), Buffer.from('1'))
    await server.put(name(BAD), Buffer.from('2'))
    const source = sourceOf({ kind, endpoints: [server.endpoint] })
    const { rendering, lines, dest } = open(
      t,
      source,
      '{{range gets "/*"}}{{.Key}}={{.Value}} {{end}}',
    )
    rendering.start()
    const read = (): string => readFileSync(dest, 'utf8')
    await eventually(() => rendering.reports()[0]?.state === 'current', 'it is rendered')
    const first = read()

    await server.put(name('two'), Buffer.from('2'))
    await eventually(() => read().includes('two'), 'the change is rendered')

    assert.equal(first, '/one=1 ')
    assert.equal(read(), '/one=1 /two=2 ')
    assert.deepEqual(
      lines.filter((line) => line.startsWith('templates do not get all keys of ')),
      [
        `templates do not get all keys of ${kind} ${server.endpoint}: 1 key below "/app/" cannot be read: not UTF-8, or longer than 1024 bytes; the first is "/app/caf\\xe9"; remove or rename them`,
      ],
    )
  })

  test(`${kind}: a value that is not UTF-8 fails the template that reads it`, async (t) => {
    const server = await start(t)
    await server.put(Buffer.from('/app/one'), BAD)
    const source = sourceOf({ kind, endpoints: [server.endpoint] })

    const { rendering } = open(t, source, '{{range gets "/*"}}{{.Value}}{{end}}')
    const failures = await rendering.renderOnce(20_000)

    assert.deepEqual(
      [...failures],
      [['a', 'line 1: error calling gets: the key /one is not UTF-8 text']],
    )
  })
}

test('zookeeper: keys below a znode that may not be listed stay, and one line says so', async (t) => {
  const server = await startZookeeper(t)
  const proxy = await startTcpProxy(t, server.port)
  const owner = await startKazoo(t, server.endpoint)
  await owner.login('sluice:secret')
  await owner.put('/app/closed/a', '1')
  await owner.put('/app/open/a', '1')
  const source = sourceOf({ kind: 'zookeeper', endpoints: [proxy.address] })
  const { rendering, lines, dest } = open(
    t,
    source,
    '{{range gets "/*/*"}}{{.Key}}={{.Value}} {{end}}',
  )
  rendering.start()
  await eventually(() => rendering.reports()[0]?.state === 'current', 'it is rendered')

  await owner.protect('/app/closed', 'sluice:secret')
  await proxy.refuse()
  await eventually(
    () => rendering.reports()[0]?.reason?.startsWith('its keys may be old'),
    'the connection is lost',
  )
  await owner.put('/app/open/a', '2')
  await proxy.pass()
  await eventually(() => readFileSync(dest, 'utf8').includes('open/a=2'), 'it is read again')

  assert.equal(readFileSync(dest, 'utf8'), '/closed/a=1 /open/a=2 ')
  const warnings = lines.filter((line) => line.startsWith('templates do not get all keys of '))
  assert.equal(warnings.length, 1)
  assert.match(warnings[0] ?? '', /the children of "\/app\/closed" are not read/)
})

test('a file of keys that is not UTF-8 keeps what was read before, and says why', async (t) => {
  const path = join(makeFolder(t), 'keys.yaml')
  writeFileSync(path, 'app: { one: a }\n')
  const { rendering, dest } = open(t, { kind: 'files', paths: [path] }, '{{getv "/one"}}')
  rendering.start()
  await eventually(() => rendering.reports()[0]?.state === 'current', 'it is rendered')

  writeFileSync(path, Buffer.concat([Buffer.from('app: { one: '), BAD, Buffer.from(' }\n')]))

  await eventually(
    () => rendering.reports()[0]?.reason?.endsWith('keys.yaml: it is not UTF-8 text'),
    'it is reported',
  )
  assert.equal(readFileSync(dest, 'utf8'), 'a')
})

test('a variable that is not UTF-8 fails the template that reads it', async (t) => {
  process.env['APP_ONE'] = 'caf\ufffd'
  t.after(() => delete process.env['APP_ONE'])

  const byKey = open(t, { kind: 'environment' }, '{{getv "/one"}}').rendering
  const byName = open(t, { kind: 'environment' }, '{{getenv "APP_ONE"}}').rendering

  assert.deepEqual(
    [...(await byKey.renderOnce(1000))],
    [['a', 'line 1: error calling getv: the key /one is not UTF-8 text']],
  )
  assert.deepEqual(
    [...(await byName.renderOnce(1000))],
    [['a', 'line 1: error calling getenv: the variable APP_ONE is not UTF-8 text']],
  )
})
