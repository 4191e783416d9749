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
  ...[
    '/%c0%af',
    '/%c0%ae%c0%ae/a',
    '/%e0%80%af',
    '/%f0%80%80%af',
    '/%ff',
    '/%c3',
    '/%c3%28',
    '/%ed%a0%80',
  ],
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
  ...['/a?x=//&y=/../&z=%2f%5c%00%zz\\', '/?/../', '/a?', '/a?%2e%2e/'],
]

test('paths with one reading are sent on as they are', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })

  for (const path of PLAIN) {
    await t.test(path, async (t) => {
      const answer = await exchange(t, gateway.port, get(path))

      assert.equal(answer.status, 200)
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
  ['/a//b?x=//%7e', '/a/b?x=//%7e'],
  ['/plain', '/plain'],
]

test('paths with two readings are rewritten with paths: normalize', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await normalizing(t, origin)

  for (const [sent, seen] of NORMALIZED) {
    await t.test(`${sent} becomes ${seen}`, async (t) => {
      const answer = await exchange(t, gateway.port, get(sent))

      assert.equal(answer.status, 200)
      assert.equal(origin.requests.at(-1)?.target, seen)
    })
  }
})

test('what has no right reading is refused with paths: normalize too', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await normalizing(t, origin)

  for (const path of [
    ...['/..', '/../a', '/a/../../b', '/%2e%2e', '/..\\a', '/a%00b', '/a%zz', '/a%', '/%c0%af'],
    ...['/%c0%ae%c0%ae/a', '/%ff'],
  ]) {
    await t.test(path, (t) => assertRefused(t, gateway, origin, get(path), 400).then(() => {}))
  }
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
  ]

  for (const paths of ['reject', 'normalize']) {
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
