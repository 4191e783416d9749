// needs: redis-server
/** What only Redis does to its readers, done by a real one. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import type { RedisSource } from '../../src/providers/redis/source.ts'
import { createLayout } from '../support/layouts.ts'
import type { Provider } from '../../src/providers/provider.ts'
import { createRedisProvider, openRedisKeyStore } from '../../src/providers/redis/redis-provider.ts'
import { createKeyNames } from '../../src/providers/redis/key-names.ts'
import type { KeyStore } from '../../src/providers/store.ts'
import { frontendsOf, numbered, putFrontends } from './registry-suite.ts'
import { watchRegistry } from './registry-watch.ts'
import { createAuthority } from '../support/certificates.ts'
import { choosePort } from '../support/ports.ts'
import { startRedis } from '../support/redis.ts'
import type { RedisOptions, RedisServer } from '../support/redis.ts'
import { redisSource } from '../support/redis-source.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'

const layout = createLayout('sluice', { sealKey: null })
const text = (route: string): string => JSON.stringify({ route, backend: 'b' })
const BRIEF_MS = 2_000
const LONGEST_TTL_MS = 2_000
const keyOf = (id: string): string => `sluice/frontends/${id}/frontend`

function providerOf(spec: RedisSource): Provider {
  return createRedisProvider(spec, layout, { reconcileMs: 600_000, random: () => 0 })
}

async function openServer(
  t: TestContext,
  options: RedisOptions = {},
): Promise<{ server: RedisServer; spec: RedisSource; provider: Provider; keys: KeyStore }> {
  const server = await startRedis(t, options)
  const spec = redisSource([server.endpoint], { password: options.password ?? null })
  const keys = await openRedisKeyStore(spec)
  t.after(() => keys.close())
  return { server, spec, provider: providerOf(spec), keys }
}

test('sees what others set, delete, rename and expire with plain commands', async (t) => {
  const { server, provider } = await openServer(t)
  const watch = watchRegistry(t, provider)
  await watch.next()
  const sees = async (ids: readonly string[]): Promise<void> => {
    const { listed } = await watch.until(
      (objects) => frontendsOf(objects).toSorted().join() === ids.join(),
      ids.join(),
    )
    assert.equal(listed, null)
  }

  await server.command('SET', keyOf('a'), text('Host("a")'))
  await sees(['a'])
  await server.command('RENAME', keyOf('a'), keyOf('b'))
  await server.command('MSET', keyOf('c'), text('x'), keyOf('d'), text('x'))
  await sees(['b', 'c', 'd'])
  await server.command('DEL', keyOf('b'))
  await sees(['c', 'd'])
  await server.command('PEXPIRE', keyOf('c'), 50)
  await sees(['d'])
})

test('adds the events that it needs to those that are sent already', async (t) => {
  const { server, provider } = await openServer(t, { args: ['--notify-keyspace-events', 'El'] })
  const watch = watchRegistry(t, provider)
  await watch.next()

  const reply = await server.command('CONFIG', 'GET', 'notify-keyspace-events')

  assert.ok(Array.isArray(reply))
  assert.deepEqual([...String(reply[1])].toSorted(), [...('$EKegx' + 'l')].toSorted())
})

test('polls where CONFIG is refused', async (t) => {
  const { server, provider } = await openServer(t, { args: ['--rename-command', 'CONFIG', ''] })
  await server.command('SET', keyOf('a'), text('Host("a")'))
  await server.command('SET', keyOf('b'), text('Host("b")'))
  const watch = watchRegistry(t, provider)
  await watch.next()

  await server.command('DEL', keyOf('a'))
  await server.command('SET', keyOf('b'), text('Host("2")'))
  const { changes } = await watch.next()

  assert.ok(changes, 'what a poll finds are changes, as events would have been')
  assert.deepEqual(frontendsOf(watch.objects()), ['b'])
  assert.deepEqual(watch.objects().get('frontend b')?.value, { route: 'Host("2")', backend: 'b' })
})

for (const how of ['the command is renamed', 'the user may not use it'] as const) {
  test(`without CONFIG (${how}) what expires or is deleted alone is a change, and no list that lacks it`, async (t) => {
    const isRenamed = how === 'the command is renamed'
    const { server, spec } = await openServer(t, {
      args: isRenamed ? ['--rename-command', 'CONFIG', ''] : [],
    })
    await server.command('ACL', 'SETUSER', 'reader', 'on', '>pw', '~*', '&*', '+@all', '-config')
    const user = isRenamed ? spec : { ...spec, username: 'reader', password: 'pw' }
    for (const id of ['a', 'b']) await server.command('SET', keyOf(id), text(id))
    await server.command('SET', keyOf('brief'), text('brief'), 'PX', 3_000)
    const watch = watchRegistry(t, providerOf(user))
    await watch.next()
    const said: string[] = []
    const until = async (ids: string): Promise<void> => {
      const { changes } = await watch.until(
        (objects) => frontendsOf(objects).toSorted().join() === ids,
        ids,
      )
      assert.ok(changes, `it is a list that lacks what is not in ${ids}`)
      said.push(...changes.deletes.map(({ id }) => id))
    }

    await until('a,b')
    await server.command('DEL', keyOf('a'))
    await until('b')

    assert.deepEqual(said, ['brief', 'a'])
  })
}

test('lets a key go when its time is over, also among 10,000 others that have one', async (t) => {
  const { server, provider } = await openServer(t)
  await Promise.all(
    numbered(10_000).map((id) => server.command('SET', `other/${id}`, 'x', 'PX', 600_000)),
  )
  const watch = watchRegistry(t, provider)
  await watch.next()

  // Long enough to be seen on a machine that does much else; Redis takes far longer to remove one key of 10,000 by itself.
  for (let round = 0; round < 3; round++) {
    await server.command('SET', keyOf('brief'), text(String(round)), 'PX', BRIEF_MS)
    const began = performance.now()
    await watch.until((objects) => objects.has('frontend brief'), 'the key')
    await watch.until((objects) => !objects.has('frontend brief'), 'its end')
    const lasted = performance.now() - began

    assert.ok(lasted > BRIEF_MS - 50, `${lasted} ms for a TTL of ${BRIEF_MS} ms`)
    assert.ok(lasted < BRIEF_MS + 10_000, `${lasted} ms for a TTL of ${BRIEF_MS} ms`)
  }
})

test('yields nothing for heartbeats, and keeps the key while they come', async (t) => {
  const { server, provider, keys } = await openServer(t)
  // A machine that does much else may pause for longer than a short TTL: then the key has ended, and a longer one is tried.
  for (let ttlMs = 300; ; ttlMs *= 3) {
    const beat = (): Promise<unknown> => keys.put('frontends/a/frontend', text('x'), { ttlMs })
    await server.command('DEL', keyOf('a'))
    await server.command('SET', keyOf('a'), text('x'))
    const watch = watchRegistry(t, provider)
    await watch.next()

    const end = watch.next()
    end.catch(() => undefined)
    await beat()
    const began = performance.now()
    let beatenAt = began
    let longestPauseMs = 0
    for (let beats = 0; performance.now() - began < 2.3 * ttlMs; beats++) {
      if (beats % 2 === 0) await beat()
      else await server.command('PEXPIRE', keyOf('a'), ttlMs)
      longestPauseMs = Math.max(longestPauseMs, performance.now() - beatenAt)
      beatenAt = performance.now()
    }
    const { changes } = await end
    const endedAt = performance.now()
    const yields = watch.yields()
    await watch.stop()
    if (longestPauseMs > ttlMs / 2 && ttlMs < LONGEST_TTL_MS) continue

    assert.deepEqual(changes?.deletes, [{ kind: 'frontend', id: 'a' }])
    assert.ok(endedAt - began >= 3.1 * ttlMs)
    assert.equal(yields, 2)
    return
  }
})

test('names a value that is no string, or too long to be fetched', async (t) => {
  const { server, provider } = await openServer(t)
  await server.command('RPUSH', keyOf('list'), 'x')
  await server.command('HSET', keyOf('hash'), 'x', 'y')
  await server.command('SETRANGE', keyOf('huge'), (64 << 20) - 1, 'x')
  await server.command('SET', keyOf('late'), text('x'))
  const watch = watchRegistry(t, provider)
  await watch.next()
  const before = watch.objects()

  await server.command('DEL', keyOf('late'))
  await server.command('RPUSH', keyOf('late'), 'x')
  provider.reload()
  await watch.until(
    (objects) => objects.get('frontend late')?.fault !== undefined,
    'the string that became a list',
  )

  assert.match(before.get('frontend list')?.fault ?? '', /is a list, not a string/)
  assert.match(before.get('frontend hash')?.fault ?? '', /is a hash, not a string/)
  assert.match(before.get('frontend huge')?.fault ?? '', /is longer than 1 MiB/)
  assert.match(watch.objects().get('frontend late')?.fault ?? '', /is a list/)
})

test('lists again when the log was trimmed below it, or never written', async (t) => {
  const { server, provider, keys } = await openServer(t)
  await putFrontends(keys, ['a'])
  const watch = watchRegistry(t, provider)
  await watch.next()

  await server.command('EVAL', "redis.call('INCR', KEYS[1])", 1, 'sluice:rev')
  await putFrontends(keys, ['b'])
  const { listed } = await watch.until((objects) => objects.has('frontend b'), 'the write after')
  const reason = listed ?? (await watch.next()).listed
  await server.command('XTRIM', 'sluice:log', 'MAXLEN', 0)
  await server.command('SET', 'sluice:rev', 1)
  const back = (await watch.next()).listed

  assert.equal(reason, 'gap')
  assert.equal(back, 'log')
  assert.deepEqual(frontendsOf(watch.objects()).toSorted(), ['a', 'b'])
})

test('notices that everything was flushed, which causes no event', async (t) => {
  const { server, provider } = await openServer(t)
  await server.command('SET', keyOf('a'), text('x'))
  const watch = watchRegistry(t, provider)
  await watch.next()

  await server.command('FLUSHALL')
  const { listed } = await watch.next()

  assert.equal(listed, 'fewer')
  assert.equal(watch.objects().size, 0)
})

test('waits for a server that is still loading, and takes nothing from it', async (t) => {
  const { server, provider, keys } = await openServer(t, {
    args: ['--key-load-delay', '200'],
  })
  // Microseconds for each command of its file; it answers anybody after a thousand of them.
  // Few at a time, so that each is answered in time.
  for (let from = 0; from < 2_000; from += 100) {
    await putFrontends(keys, numbered(2_000).slice(from, from + 100))
  }
  await server.kill()

  const started = server.start()
  const outcomes: string[] = []
  while (!outcomes.some((outcome) => outcome.startsWith('objects: '))) {
    const watch = watchRegistry(t, provider)
    await watch.next().then(
      () => outcomes.push(`objects: ${watch.objects().size}`),
      (error: unknown) => outcomes.push(String(error)),
    )
    await watch.stop().catch(() => {})
  }
  await started

  assert.equal(outcomes.at(-1), 'objects: 2000')
  assert.ok(outcomes.some((outcome) => outcome.includes('it is still loading its data')))
})

test('says that it was refused, and never with which password', async (t) => {
  const { server, spec } = await openServer(t, { password: 'right' })
  await server.command('ACL', 'SETUSER', 'narrow', 'on', '>narrow', '~other/*', '&*', '+@all')
  const attempts: readonly Partial<RedisSource>[] = [
    { password: null },
    { password: 'wrong' },
    { username: 'nobody', password: 'wrong' },
    { username: 'narrow', password: 'narrow' },
  ]

  for (const attempt of attempts) {
    const provider = providerOf({ ...spec, ...attempt })
    await assert.rejects(watchRegistry(t, provider).next(), (error) => {
      assert.ok(error instanceof Error)
      assert.equal(error.name, 'SourceRefused')
      assert.match(error.message, /NOAUTH|WRONGPASS|NOPERM/)
      assert.equal(error.cause, undefined)
      return true
    })
  }
})

test('needs no more than the rights to read, and hears by its log all the same', async (t) => {
  const { server, spec, keys } = await openServer(t)
  await server.command(
    ...(['ACL', 'SETUSER', 'reader', 'on', '>pw', '~sluice/*', '~sluice:*'] as const),
    ...['&__keyspace@0__:sluice/*', '+@read', '+multi', '+exec', '+ping', '+psubscribe'],
  )
  const watch = watchRegistry(t, providerOf({ ...spec, username: 'reader', password: 'pw' }))
  await watch.next()

  await putFrontends(keys, ['a'])
  const { listed } = await watch.next()

  assert.equal(listed, null)
  assert.deepEqual(frontendsOf(watch.objects()), ['a'])
})

test('hears events of others with no more than the rights to them', async (t) => {
  const { server, spec } = await openServer(t)
  await server.command(
    ...(['ACL', 'SETUSER', 'reader', 'on', '>pw', '~sluice/*', '~sluice:*'] as const),
    ...['&__keyspace@0__:sluice/*', '+@read', '+multi', '+exec', '+ping', '+psubscribe'],
    ...['+config|get', '+config|set'],
  )
  const watch = watchRegistry(t, providerOf({ ...spec, username: 'reader', password: 'pw' }))
  await watch.next()

  await server.command('SET', 'sluice/frontends/a/frontend', text('a'))
  const { listed } = await watch.next()

  assert.equal(listed, null)
  assert.deepEqual(frontendsOf(watch.objects()), ['a'])
})

test('follows a replica, also when it becomes the replica of an older master', async (t) => {
  const { server, keys } = await openServer(t)
  const older = await startRedis(t)
  const replica = await startRedis(t, { args: ['--repl-diskless-sync-delay', '0'] })
  for (const each of [server, older]) {
    await each.command('CONFIG', 'SET', 'repl-diskless-sync-delay', 0)
  }
  const olderKeys = await openRedisKeyStore(redisSource([older.endpoint]))
  t.after(() => olderKeys.close())
  await putFrontends(olderKeys, ['old'])
  await putFrontends(keys, ['a', 'b'])
  await replica.command('REPLICAOF', '127.0.0.1', server.port)
  const watch = watchRegistry(t, providerOf(redisSource([replica.endpoint])))
  await watch.until((objects) => frontendsOf(objects).length === 2, 'what its master has')

  // Only now it hears its master at once.
  await keys.put('frontends/c/frontend', text('x'), {})
  await watch.until((objects) => objects.has('frontend c'), 'a write to its master')
  await keys.put('frontends/d/frontend', text('x'), { ttlMs: 100 })
  await watch.until((objects) => objects.has('frontend d'), 'another')
  await watch.until((objects) => !objects.has('frontend d'), 'an expiry')
  await replica.command('REPLICAOF', '127.0.0.1', older.port)
  await watch.lost(5_000)
  const again = watchRegistry(t, providerOf(redisSource([replica.endpoint])))
  await again.until((objects) => frontendsOf(objects).join() === 'old', 'what the older one has')

  const refused = await openRedisKeyStore(redisSource([replica.endpoint]))
  t.after(() => refused.close())
  await assert.rejects(
    refused.put('listeners/web', '{}', {}),
    /it is a replica, write to its master/,
  )
})

test('reads over TLS, and only from whom it trusts', async (t) => {
  const authority = createAuthority(t)
  const { cert, key, certPath, keyPath } = authority.issue('localhost')
  const port = await choosePort()
  const { server, keys, spec } = await openServer(t, {
    args: [
      ...['--tls-port', String(port), '--tls-cert-file', certPath, '--tls-key-file', keyPath],
      ...['--tls-ca-cert-file', authority.certPath],
    ],
  })
  assert.notEqual(server.pid(), null)
  await putFrontends(keys, ['a'])
  const tls = { ca: authority.cert, cert, key, serverName: 'localhost', verify: true }
  const secure: RedisSource = { ...spec, endpoints: [`127.0.0.1:${port}`], tls }

  const watch = watchRegistry(t, providerOf(secure))
  await watch.next()

  assert.deepEqual(frontendsOf(watch.objects()), ['a'])
  const stranger = providerOf({ ...secure, tls: { ...tls, ca: null } })
  await assert.rejects(watchRegistry(t, stranger).next(), /certificate/)
})

test('has what the registry has after 2,500 writes, 12 cuts and one during the replay', async (t) => {
  const { server, spec, keys } = await openServer(t)
  const proxy = await startTcpProxy(t, server.port)
  const provider = providerOf({ ...spec, endpoints: [proxy.address] })
  let writes = 0
  const write = async (count: number): Promise<void> => {
    for (let at = 0; at < count; at++, writes++) {
      const path = `frontends/f${(writes * 7) % 211}/frontend`
      if (writes % 5 === 4) await keys.delete(path, {})
      else await keys.put(path, text(`Host("${writes}")`), {})
    }
  }

  for (let round = 0; round < 12; round++) {
    const watch = watchRegistry(t, provider)
    await watch.next()
    const writing = write(180)
    await watch.next()
    proxy.cutAll()
    await watch.lost(5_000)
    await writing
  }
  const cut = proxy.cutAfter(3_000)
  await assert.rejects(watchRegistry(t, provider).next())
  await cut
  const last = watchRegistry(t, provider)
  await last.next()
  await write(340)
  const expected = new Map(
    (await keys.list()).map(({ path, text: value }) => [path.split('/')[1], JSON.parse(value)]),
  )
  await last.until(
    (objects) => objects.get('frontend f' + (((writes - 2) * 7) % 211)) !== undefined,
    'the last',
  )
  provider.reload()
  await last.until(() => true, 'a last list')

  const actual = new Map([...last.objects().values()].map(({ id, value }) => [id, value]))
  assert.equal(writes, 2_500)
  assert.deepEqual(actual, expected)
})

test('matches the keys of its prefix and no others, with any character in the prefix', () => {
  const names = createKeyNames('a*[b]?\\')

  assert.equal(names.pattern, 'a\\*\\[b\\]\\?\\\\/*')
  assert.equal(names.pathOf('a*[b]?\\/x/y'), 'x/y')
  assert.equal(names.pathOf('a*[b]?\\2/x'), null)
  assert.deepEqual(
    ['sluice', '{sluice}', 'a{b}c', '{}', 'a{b', '{}{a}'].map((p) => createKeyNames(p).isTagged),
    [false, true, true, false, false, false],
  )
})
