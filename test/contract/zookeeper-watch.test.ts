// needs: zookeeper, kazoo
/** What is special about ZooKeeper, with real servers and clients that are not ours: kazoo and zkCli.sh. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { after, test, type TestContext } from 'node:test'
import type { MemberLayoutName } from '../../src/providers/layout.ts'
import { SourceRefused } from '../../src/providers/provider.ts'
import {
  createZookeeperProvider,
  openZookeeperKeyStore,
} from '../../src/providers/zookeeper/zookeeper-provider.ts'
import { createAuthority } from '../support/certificates.ts'
import { startFakeOldZookeeper } from '../support/fake-old-zookeeper.ts'
import { startKazoo } from '../support/kazoo.ts'
import { createLayout } from '../support/layouts.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'
import { startEnsemble, startZookeeper } from '../support/zookeeper.ts'
import { zookeeperSource } from '../support/zookeeper-source.ts'
import { watchRegistry, type Objects } from './registry-watch.ts'

const server = await startZookeeper({ after })
const others = await startKazoo({ after }, server.endpoint)
const sluice = createLayout('sluice', { sealKey: null })
let roots = 0

function newRoot(): string {
  return `/watch-${++roots}`
}

function members(name: MemberLayoutName): ReturnType<typeof createLayout> {
  return createLayout(name, { sealKey: null })
}

const route = (text: string): string => JSON.stringify({ route: text, backend: 'b' })
const pathOf = (id: string): string => `/frontends/${id}/frontend`

function routesOf(objects: Objects): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    [...objects.values()].map(({ id, value }) => [id, (value as { route?: string })?.route]),
  )
}

function urlsOf(objects: Objects): readonly string[] {
  return [...objects.values()].map(({ id, value }) => `${id} ${(value as { url: string }).url}`)
}

test("another client's ephemeral znodes are servers, until it is killed", async (t) => {
  const prefix = newRoot()
  const agent = await startKazoo(t, server.endpoint)
  await others.put(`${prefix}/web`, '{"haproxy":{}}')
  const spec = zookeeperSource([server.endpoint], { prefix, layout: 'nerve' })
  const watch = watchRegistry(t, createZookeeperProvider(spec, members('nerve')))
  await watch.next()

  const created = await agent.create(`${prefix}/web/i-1_`, '{"host":"10.0.0.1","port":80}', {
    ephemeral: true,
    sequence: true,
  })
  await watch.until((objects) => objects.size === 1, 'the server')
  const alive = urlsOf(watch.objects())
  await agent.kill()
  const gone = await watch.until((objects) => objects.size === 0, 'its end')

  assert.deepEqual(alive, [`web/${created.split('/').at(-1) ?? ''} http://10.0.0.1:80`])
  assert.equal(gone.listed, null)
})

test('what zkCli.sh writes is read', async (t) => {
  const prefix = newRoot()
  await others.put(prefix, '')
  const spec = zookeeperSource([server.endpoint], { prefix })
  const watch = watchRegistry(t, createZookeeperProvider(spec, sluice))
  await watch.next()

  await zkCli(t, [
    `create ${prefix}/frontends`,
    `create ${prefix}/frontends/a`,
    `create ${prefix}${pathOf('a')} ${route('one')}`,
    `set ${prefix}${pathOf('a')} ${route('two')}`,
  ])
  await watch.until((objects) => routesOf(objects)['a'] === 'two', 'the second value')

  assert.deepEqual(routesOf(watch.objects()), { a: 'two' })
})

test('a prefix below a chroot is read, watched and written', async (t) => {
  const chroot = newRoot()
  const spec = zookeeperSource([server.endpoint], { prefix: `${chroot}/deep/sluice` })
  const keys = await openZookeeperKeyStore(spec)
  t.after(() => keys.close())
  const watch = watchRegistry(t, createZookeeperProvider(spec, sluice))
  await watch.next()

  await keys.put(pathOf('a').slice(1), route('x'), {})
  await watch.next()

  assert.deepEqual(routesOf(watch.objects()), { a: 'x' })
  assert.equal(watch.objects().get('frontend a')?.key, `${chroot}/deep/sluice${pathOf('a')}`)
})

test('a znode with children and without data is no key, whenever its children come and go', async (t) => {
  const prefix = newRoot()
  const spec = zookeeperSource([server.endpoint], { prefix, layout: 'traefik' })
  const layout = createLayout('traefik', { sealKey: null })
  const router = `${prefix}/http/routers/web`
  for (const [name, text] of Object.entries({ rule: 'Host(`a`)', service: 'web', tls: 'true' })) {
    await others.put(`${router}/${name}`, text)
  }
  await others.put(`${prefix}/http/services/web/loadbalancer/servers/0/url`, 'http://10.0.0.1')
  const watch = watchRegistry(t, createZookeeperProvider(spec, layout))
  await watch.next()
  const listed = watch.objects().get('frontend web')

  await others.put(`${router}/tls`, '')
  await others.put(`${router}/tls/options`, 'default')
  await others.put(`${router}/priority`, '7')
  await watch.until(
    (objects) => JSON.stringify(objects.get('frontend web')?.value).includes('"priority":7'),
    'the priority',
  )

  assert.equal(listed?.fault, undefined)
  assert.equal(watch.objects().get('frontend web')?.fault, undefined)
})

test('a znode whose writer has created but not set it is no key yet', async (t) => {
  const prefix = newRoot()
  await others.create(`${prefix}/web/32768`, '\u0001')
  const spec = zookeeperSource([server.endpoint], { prefix, layout: 'registrator' })
  const watch = watchRegistry(t, createZookeeperProvider(spec, members('registrator')))
  await watch.next()
  const early = watch.objects().size

  await others.put(`${prefix}/web/32768`, '{"IP":"10.0.0.1","PublicPort":32768}')
  await watch.next()

  assert.equal(early, 0)
  assert.deepEqual(urlsOf(watch.objects()), ['web/32768 http://10.0.0.1:32768'])
})

for (const isMute of [false, true]) {
  const how = isMute ? 'closes the connection' : 'says so'
  test(`an old server (a fake that ${how}) is watched znode by znode`, async (t) => {
    const prefix = newRoot()
    const old = await startFakeOldZookeeper(t, server.port, isMute)
    const spec = zookeeperSource([old.endpoint], { prefix })
    const watch = watchRegistry(t, createZookeeperProvider(spec, sluice))
    await watch.next()
    const until = (routes: object): Promise<unknown> =>
      watch.until(
        (objects) => JSON.stringify(routesOf(objects)) === JSON.stringify(routes),
        JSON.stringify(routes),
      )

    await others.put(`${prefix}${pathOf('a')}`, route('1'))
    await until({ a: '1' })
    await others.put(`${prefix}${pathOf('a')}`, route('2'))
    await until({ a: '2' })
    await others.put(`${prefix}${pathOf('b')}`, route('1'))
    await until({ a: '2', b: '1' })
    await others.delete(`${prefix}/frontends/a`)
    await until({ b: '1' })
    await others.delete(prefix)
    await until({})
    await others.put(`${prefix}${pathOf('b')}`, route('3'))
    await until({ b: '3' })
    for (let round = 0; round < 20; round++) {
      await others.delete(`${prefix}/frontends/b`)
      await others.put(`${prefix}${pathOf('b')}`, route(`round ${round}`))
    }
    await until({ b: 'round 19' })

    assert.equal(old.refused(), 1)
  })
}

test('a znode that may not be read is set aside, and what is below one that may not be listed stays', async (t) => {
  const prefix = newRoot()
  const login = 'sluice:secret'
  const owner = await startKazoo(t, server.endpoint)
  await owner.login(login)
  for (const id of ['a', 'b', 'c']) await owner.put(`${prefix}${pathOf(id)}`, route(id))
  const spec = zookeeperSource([server.endpoint], { prefix })
  const provider = createZookeeperProvider(spec, sluice)
  const watch = watchRegistry(t, provider)
  await watch.next()

  await owner.protect(`${prefix}${pathOf('a')}`, login)
  await owner.protect(`${prefix}/frontends/b`, login)
  provider.reload()
  const listed = await watch.next()

  const keyOf = (id: string) => ({ key: `${prefix}${pathOf(id)}` }) as never
  assert.match(watch.objects().get('frontend a')?.fault ?? '', /may not be read: its ACL/)
  assert.equal(routesOf(watch.objects())['c'], 'c')
  assert.equal(listed.isUnread?.(keyOf('b')), true)
  assert.equal(listed.isUnread?.(keyOf('a')), false)
  assert.match(listed.problems[0]?.message ?? '', /the children of ".+\/b" are not read/)

  const trusted = { ...spec, username: 'sluice', password: 'secret' }
  const other = watchRegistry(t, createZookeeperProvider(trusted, sluice))
  assert.deepEqual((await other.next()).problems, [])
  assert.deepEqual(routesOf(other.objects()), { a: 'a', b: 'b', c: 'c' })
})

test('a prefix that may not be read refuses the source, without the password', async (t) => {
  const prefix = newRoot()
  await others.put(prefix, '')
  await others.protect(prefix, 'someone:else')
  const login = { username: 'sluice', password: 'hunter2' }
  const spec = zookeeperSource([server.endpoint], { prefix, ...login })

  const watching = watchRegistry(t, createZookeeperProvider(spec, sluice)).next()

  await assert.rejects(watching, (error: Error) => {
    assert.ok(error instanceof SourceRefused)
    assert.match(error.message, /cannot list ".+": no permission/)
    assert.doesNotMatch(error.message, /hunter2/)
    return true
  })
})

test('a wipe is seen as such, also by a later process; so is a prefix that was made anew', async (t) => {
  const own = await startZookeeper(t)
  const spec = zookeeperSource([own.endpoint])
  const first = createZookeeperProvider(spec, sluice)
  const watch = watchRegistry(t, first)
  const keys = await openZookeeperKeyStore(spec)
  t.after(() => keys.close())
  for (let i = 0; i < 20; i++) await keys.put('frontends/a/frontend', route(String(i)), {})
  await watch.until((objects) => routesOf(objects)['a'] === '19', 'the last value')
  first.reload()
  await watch.until((objects) => objects.size > 0, 'a list')
  const checkpoint = first.checkpoint?.() ?? ''
  await watch.stop()

  const deleter = await startKazoo(t, own.endpoint)
  await deleter.delete('/sluice')
  await deleter.put('/sluice/frontends/b/frontend', route('new'))
  const anew = await watchRegistry(t, restored(checkpoint)).next()
  await deleter.kill()
  await own.wipe()
  await own.start()
  const wiped = await watchRegistry(t, restored(checkpoint)).next()
  const fresh = await watchRegistry(t, createZookeeperProvider(spec, sluice)).next()

  assert.deepEqual([anew.listed, wiped.listed, fresh.listed], ['replaced', 'rewound', 'first'])

  function restored(text: string): ReturnType<typeof createZookeeperProvider> {
    const provider = createZookeeperProvider(spec, sluice)
    provider.restore?.(text)
    return provider
  }
})

test('the next server is used when one is gone, and all are named when none is there', async (t) => {
  const prefix = newRoot()
  await others.put(`${prefix}${pathOf('a')}`, route('x'))
  const dead = await startTcpProxy(t, server.port)
  await dead.refuse()

  for (const random of [0, 0.99]) {
    const spec = zookeeperSource([dead.address, server.endpoint], { prefix })
    const provider = createZookeeperProvider(spec, sluice, { random: () => random })
    const watch = watchRegistry(t, provider)
    await watch.next()
    assert.equal(watch.objects().size, 1)
  }
  const nowhere = zookeeperSource([dead.address, '127.0.0.1:1'], { prefix })
  const watching = watchRegistry(t, createZookeeperProvider(nowhere, sluice)).next()

  await assert.rejects(watching, (error: Error) => {
    assert.ok(error.message.includes(dead.address) && error.message.includes('127.0.0.1:1'))
    return true
  })
})

test('an ensemble is followed when its leader dies, and nothing is read from a server that lags', async (t) => {
  const ensemble = await startEnsemble(t, 3)
  const endpoints = ensemble.map(({ endpoint }) => endpoint)
  const spec = zookeeperSource(endpoints)
  const keys = await openZookeeperKeyStore(spec)
  t.after(() => keys.close())
  await keys.put('frontends/a/frontend', route('1'), {})
  const provider = createZookeeperProvider(spec, sluice)
  const watch = watchRegistry(t, provider)
  await watch.next()
  const modes = await Promise.all(ensemble.map((one) => one.ask('srvr')))
  const leader = ensemble[modes.findIndex((text) => text.includes('Mode: leader'))]

  await leader?.kill()
  const again = await untilListed(provider, t)
  const late = await untilDone(() => openZookeeperKeyStore(spec))
  t.after(() => late.close())
  await untilDone(() => late.put('frontends/a/frontend', route('2'), {}))
  await again.until((objects) => routesOf(objects)['a'] === '2', 'the change')

  assert.ok(leader !== undefined)
  assert.equal(again.objects().size, 1)
})

test('TLS is used with its authorities, and a certificate of another name is refused', async (t) => {
  const authority = createAuthority(t)
  const { cert, key } = authority.issue('localhost')
  const secure = await startZookeeper(t, { tls: { cert, key, caPath: authority.certPath } })
  const tls = { ca: authority.cert, cert: null, key: null, serverName: null, verify: true }
  const endpoints = [`localhost:${secure.securePort}`]

  const open = (serverName: string | null): ReturnType<typeof watchRegistry> => {
    const spec = zookeeperSource(endpoints, { tls: { ...tls, serverName } })
    return watchRegistry(t, createZookeeperProvider(spec, sluice))
  }

  const good = await open(null).next()

  assert.equal(good.listed, 'first')
  await assert.rejects(open('other.test').next(), /other\.test/)
})

async function untilListed(
  provider: ReturnType<typeof createZookeeperProvider>,
  t: TestContext,
): Promise<ReturnType<typeof watchRegistry>> {
  return untilDone(async () => {
    const watch = watchRegistry(t, provider)
    await watch.next()
    return watch
  })
}

/** Elections take a moment. */
async function untilDone<T>(act: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + 15_000
  for (;;) {
    try {
      return await act()
    } catch (error) {
      if (performance.now() > deadline) throw error
    }
  }
}

async function zkCli(t: TestContext, commands: readonly string[]): Promise<void> {
  const child = spawn('/usr/share/zookeeper/bin/zkCli.sh', ['-server', server.endpoint], {
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  t.after(() => child.kill('SIGKILL'))
  child.stdin.end(`${commands.join('\n')}\nquit\n`)
  await new Promise((resolve) => child.once('close', resolve))
}
