// facts/wire.md 3, Path: matched and forwarded the same, by one policy of the listener; RFC 3986 sections 5.2.4 and 6.2.2.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { exchange } from '../support/client.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { startOrigin, type Origin } from '../support/origin.ts'
import { assertRefused, get } from '../support/refusal.ts'

const REFUSED = [
  ...['//', '//a', '/a//b', '/a//', '///'],
  ...['/.', '/./', '/a/.', '/a/./b', '/..', '/../', '/../a', '/a/..', '/a/../b', '/a/b/../../../c'],
  ...['/%2e', '/%2E/a', '/a/%2e%2e/b', '/a/.%2e/b', '/a/%2E./b', '/a/%2e%2E'],
  ...['/a/..;/b', '/a/..;x=y/b', '/a/.;x/b', '/a/%2e%2e;x/b'],
  ...['/a%2fb', '/a%2Fb', '/%2f', '/a%5cb', '/a%5Cb', '/a\\b', '/\\a', '/..\\a', '/a\\..\\b'],
  ...['/a%00b', '/%00', '/a%', '/a%2', '/a%zz', '/a%2g', '/%u0041', '/a%%32%65'],
]

test('paths with two readings are refused with paths: reject', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })

  for (const path of REFUSED) {
    await t.test(path, (t) => assertRefused(t, gateway, origin, get(path), 400).then(() => {}))
  }
  await t.test('the same in absolute-form', (t) =>
    assertRefused(t, gateway, origin, get('http://a.test/a/../b'), 400).then(() => {}),
  )
})

const PLAIN = [
  ...['/', '/a/', '/a/b', '/.a', '/..a', '/a..', '/a...b/...', '/a;x=y/b', '/a;/b', '/a,b'],
  ...['/%20', '/caf%C3%A9', '/caf%c3%a9', '/%F0%9F%98%80', '/a%3Fb', '/a%23b', '/a%25b', '/a%3Bb'],
  // Escapes need not be UTF-8: many a server's old links are Latin-1.
  ...['/caf%E9', '/caf%e9', '/%ff', '/%c3', '/%c3%28', '/%ed%a0%80', '/%c0%af', '/%e0%80%af'],
  ...['/a?x=//&y=/../&z=%2f%5c%00%zz\\', '/?/../', '/a?', '/a?%2e%2e/'],
]

test('paths with one reading are sent on as they are', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })

  for (const path of PLAIN) {
    await t.test(path, async (t) => {
      const response = await exchange(t, gateway.port, get(path))

      assert.equal(response.status, 200)
      assert.equal(origin.requests.at(-1)?.target, path)
    })
  }
})

const NORMALIZED: readonly (readonly [sent: string, seen: string])[] = [
  ['//', '/'],
  ['//a', '/a'],
  ['/a//b', '/a/b'],
  ['/a///b//', '/a/b/'],
  ['/a/./b', '/a/b'],
  ['/a/.', '/a/'],
  ['/./a', '/a'],
  ['/a/../b', '/b'],
  ['/a/b/..', '/a/'],
  ['/a/b/../../c', '/c'],
  ['/a/%2e%2e/b', '/b'],
  ['/a/.%2E/b', '/b'],
  ['/a\\b', '/a/b'],
  ['/a\\..\\b', '/b'],
  ['/%7euser', '/~user'],
  ['/%61%2D%5f', '/a-_'],
  ['/a%2fb', '/a%2Fb'],
  ['/caf%c3%a9', '/caf%C3%A9'],
  ['/a%20b', '/a%20b'],
  ['/caf%e9', '/caf%E9'],
  ['/%c0%ae%c0%ae/a', '/%C0%AE%C0%AE/a'],
  ['/a//b?x=//%7e', '/a/b?x=//%7e'],
  ['/plain', '/plain'],
]

test('paths with two readings are rewritten with paths: normalize', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await normalizing(t, origin)

  for (const [sent, seen] of NORMALIZED) {
    await t.test(`${sent} becomes ${seen}`, async (t) => {
      const response = await exchange(t, gateway.port, get(sent))

      assert.equal(response.status, 200)
      assert.equal(origin.requests.at(-1)?.target, seen)
    })
  }
})

test('what has no right reading is refused with paths: normalize too', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await normalizing(t, origin)

  for (const path of [
    ...['/..', '/../a', '/a/../../b', '/%2e%2e', '/..\\a', '/a%00b', '/a%zz', '/a%'],
  ]) {
    await t.test(path, (t) => assertRefused(t, gateway, origin, get(path), 400).then(() => {}))
  }
})

const PRESERVED = [
  ...['/', '//', '//a', '/a//b', '/a///b//', '/a//b?x=//%7e'],
  ...['/a%2fb', '/a%2Fb', '/a%5cb', '/%2f', '/a%2F%2Fb', '/repo%2Fname/files/x%2Fy.md'],
  ...['/caf%E9', '/caf%e9', '/%ff', '/caf%C3%A9', '/%7euser', '/%61%2d', '/a%20b', '/a;x=y/b'],
  ...['/file%2ejs', '/a..b', '/.a', '/..a', '/a%252fb', '/a%25'],
]

test('paths are forwarded as they were sent with paths: preserve', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port, listener: { paths: 'preserve' } })

  for (const path of PRESERVED) {
    await t.test(path, async (t) => {
      const response = await exchange(t, gateway.port, get(path))

      assert.equal(response.status, 200)
      assert.equal(origin.requests.at(-1)?.target, path)
    })
  }
  await t.test('also from the absolute form', async (t) => {
    await exchange(t, gateway.port, get('http://a.test//a%2Fb?x'))

    assert.equal(origin.requests.at(-1)?.target, '//a%2Fb?x')
  })
})

test('what has no one meaning is refused with paths: preserve too', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port, listener: { paths: 'preserve' } })

  for (const path of [
    ...['/.', '/./a', '/..', '/a/../b', '/a/%2e%2e/b', '/a/.%2E/b', '/a/..;x/b', '/%2e%2e'],
    ...['/a%2f..%2fb', '/x/..%2fa', '/a%2f..', '/a%5c..%5cb', '/a/%2e%2e%2fb', '/a%2f%2e/b'],
    ...['/a\\b', '/..\\a', '/a%00b', '/a%zz', '/a%'],
  ]) {
    await t.test(path, (t) => assertRefused(t, gateway, origin, get(path), 400).then(() => {}))
  }
})

test('routes match the normalized reading of what is preserved', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, {
    listeners: { web: { address: '127.0.0.1:0', paths: 'preserve' } },
    backends: { b: { servers: { s: origin.url } } },
    frontends: {
      api: { route: 'PathPrefix("/api")', backend: 'b' },
      user: { route: 'Path("/~user")', backend: 'b' },
      cafe: { route: 'Path("/caf%e9")', backend: 'b' },
    },
  })

  for (const path of [
    '/api//x',
    '//api/x',
    '/%61pi/x',
    '/api/x%2Fy',
    '//api',
    '/%7Euser',
    '/caf%E9',
  ]) {
    await t.test(path, async (t) => {
      assert.equal((await exchange(t, gateway.port, get(path))).status, 200)
      assert.equal(origin.requests.at(-1)?.target, path)
    })
  }
})

test('a frontend has a policy of its own', async (t) => {
  const origin = await startOrigin(t)
  const configured = (listener: string, frontend: string): Promise<TestGateway> =>
    startGateway(t, {
      listeners: { web: { address: '127.0.0.1:0', paths: listener } },
      backends: { b: { servers: { s: origin.url } } },
      frontends: {
        f: { route: 'PathPrefix("/")', backend: 'b' },
        own: { route: 'PathPrefix("/own")', backend: 'b', paths: frontend },
      },
    })
  const seen = async (gateway: TestGateway, path: string): Promise<string | number | undefined> => {
    const { status } = await exchange(t, gateway.port, get(path))
    return status === 200 ? origin.requests.at(-1)?.target : status
  }

  const preserving = await configured('reject', 'preserve')
  assert.equal(await seen(preserving, '/own//a%2fb%E9'), '/own//a%2fb%E9')
  assert.equal(await seen(preserving, '/a//b'), 400)
  assert.equal(await seen(preserving, '/own/../a'), 400)
  const normalizing = await configured('preserve', 'normalize')
  assert.equal(await seen(normalizing, '/own//a%2fb'), '/own/a%2Fb')
  assert.equal(await seen(normalizing, '/a//b'), '/a//b')
  const rejecting = await configured('normalize', 'reject')
  assert.equal(await seen(rejecting, '/own//a'), 400)
  assert.equal(await seen(rejecting, '/x/../own//a'), 400)
  assert.equal(await seen(rejecting, '/a//b'), '/a/b')
})

test('a path whose readings lead to different routes is refused with paths: preserve', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, {
    listeners: { web: { address: '127.0.0.1:0', paths: 'preserve', scope: '!PathPrefix("/out")' } },
    backends: { b: { servers: { s: origin.url } } },
    frontends: {
      all: { route: 'PathPrefix("/")', backend: 'b' },
      admin: { route: 'PathPrefix("/admin")', respond: { status: 403 } },
      open: { route: 'PathPrefix("/admin/public")', backend: 'b' },
      item: { route: 'Path("/shop/<item>/price")', respond: { status: 403 } },
    },
  })
  for (const path of [
    '/admin%2fx',
    '/admin%5Cx',
    '/admin/public%2fx',
    '/shop/a%2fb/price',
    '/out%2fx',
  ]) {
    await t.test(path, (t) => assertRefused(t, gateway, origin, get(path), 400).then(() => {}))
  }
  assert.equal((await exchange(t, gateway.port, get('/admin/a%2fb'))).status, 403)
  assert.equal((await exchange(t, gateway.port, get('/shop/a%2fb'))).status, 200)
})

// A guard on a path holds for every spelling that reaches the server as that path.
test('no spelling of a guarded path reaches the server past the guard', async (t) => {
  const origin = await startOrigin(t)
  const spellings = [
    ...['/private', '/private/x', '//private', '/./private', '/a/../private', '/a/%2e%2e/private'],
    ...['/%70rivate', '/\\private', '/a/..;/private', '/a\\..\\private', '/private?x', '/private/'],
    ...[
      '/a//..//private',
      '/a/../%70%72ivate/x',
      'http://a.test/private',
      'http://a.test//private',
    ],
    ...['/%2fprivate', '/private%2fx', '/private%5Cx', '/x/..%2fprivate', '/x%2f..%2fprivate'],
    ...['/x/%2e%2e%2fprivate', '/%2e/private', '/private//x', '///private', '/%5cprivate'],
  ]

  for (const paths of ['reject', 'preserve', 'normalize']) {
    const gateway = await guarded(t, origin, paths)
    for (const spelling of spellings) {
      await t.test(`${spelling} with paths: ${paths}`, async (t) => {
        const { status } = await exchange(t, gateway.port, get(spelling))
        const seen = origin.requests.at(-1)?.target
        origin.forget()

        assert.ok([400, 403, 200].includes(status))
        if (status !== 200) return assert.equal(seen, undefined)
        assert.doesNotMatch(decoded(seen ?? ''), /^\/private(\/|$)/)
      })
    }
  }
})

/** The path as a server that decodes and resolves it would read it. */
function decoded(target: string): string {
  const path = decodeURIComponent(target.split('?')[0] ?? '')
  return new URL(path.replace(/;[^/]*/g, '').replace(/\/{2,}/g, '/'), 'http://a.test').pathname
}

function normalizing(t: TestContext, origin: Origin): Promise<TestGateway> {
  return startGateway(t, {
    listeners: { web: { address: '127.0.0.1:0', paths: 'normalize' } },
    backends: { b: { servers: { s: origin.url } } },
    frontends: { f: { route: 'PathPrefix("/")', backend: 'b' } },
  })
}

function guarded(t: TestContext, origin: Origin, paths: string): Promise<TestGateway> {
  return startGateway(t, {
    listeners: { web: { address: '127.0.0.1:0', paths } },
    backends: { b: { servers: { s: origin.url } } },
    frontends: {
      f: { route: 'PathPrefix("/")', backend: 'b' },
      guard: { route: 'PathPrefix("/private")', respond: { status: 403 } },
    },
  })
}
