/** A document over HTTP, on a server of the test itself. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { ServerResponse } from 'node:http'
import { createHttpProvider } from '../../src/providers/http/http-provider.ts'
import { createTraefikLayout } from '../../src/providers/layouts/traefik/layout.ts'
import { SourceRefused } from '../../src/providers/provider.ts'
import { httpSource, startDocument, type DocumentServer } from '../support/http-document.ts'
import { PATIENCE_MS } from '../support/until.ts'
import {
  routesOf,
  testProvider,
  watchProvider,
  type Routes,
  type Watcher,
} from './provider-suite.ts'

for (const [name, options] of Object.entries({ http: {}, 'http that waits': { wait: '1s' } })) {
  testProvider(name, async (t) => {
    const server = await startDocument(t)
    return {
      provider: createHttpProvider(httpSource(server.url, options), null),
      async write(routes) {
        await server.start()
        server.set(documentOf(routes))
      },
      spoil: () => Promise.resolve(server.set('<html>nonsense')),
      remove: () => server.stop(),
    }
  })
}

test('http asks with the last ETag, and takes 304 for no change', async (t) => {
  const { server, watcher } = await open(t, {}, { one: 'Host("one")' })
  const next = watcher.next()
  await until(() => server.requests.length >= 4)

  server.set(documentOf({ two: 'Host("two")' }))
  const second = await next

  const [first, ...others] = server.requests
  assert.equal(first?.headers['if-none-match'], undefined)
  assert.ok(others.every(({ headers }) => /^"/.test(headers['if-none-match'] ?? '')))
  assert.deepEqual(routesOf(second), { two: 'Host("two")' })
  assert.ok(second.readable)
  assert.equal(second.listed, 'polled')
})

test('http without an ETag declares a document again only if it differs', async (t) => {
  const server = await startDocument(t)
  const serve = (routes: Routes) => (_: unknown, response: ServerResponse) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end(documentOf(routes))
  }
  server.respond(serve({ one: 'Host("one")' }))
  const watcher = watchProvider(t, createHttpProvider(httpSource(server.url), null))
  await watcher.next()
  const next = watcher.next()
  await until(() => server.requests.length >= 3)

  server.respond(serve({ two: 'Host("two")' }))

  assert.deepEqual(routesOf(await next), { two: 'Host("two")' })
})

test('http with wait has a change as soon as the server has it, and asks again only then', async (t) => {
  const { server, watcher } = await open(t, { wait: '60s', interval: '1h' }, { one: 'Host("one")' })
  const next = watcher.next()
  await until(() => server.requests.length === 2)

  server.set(documentOf({ two: 'Host("two")' }))
  const second = await next

  assert.equal(server.requests[1]?.headers['prefer'], 'wait=60')
  assert.deepEqual(routesOf(second), { two: 'Host("two")' })
})

test('http with wait asks again after the interval if the server responds at once', async (t) => {
  const server = await startDocument(t)
  const askedAt: number[] = []
  server.respond((_, response) => {
    askedAt.push(performance.now())
    response.end(documentOf({ one: 'Host("one")' }))
  })
  const spec = httpSource(server.url, { wait: '10s', interval: '200ms' })
  const watcher = watchProvider(t, createHttpProvider(spec, null))
  await watcher.next()

  const next = watcher.next().catch(() => null)
  await until(() => askedAt.length === 3)
  await watcher.stop()
  await next

  // Behind the first, which has the document, the first that may be held comes at once.
  const [, second = 0, third = 0] = askedAt
  assert.ok(third - second >= 170, askedAt.join())
})

test('http sends its headers, and reads YAML and JSON by the type or the text', async (t) => {
  const server = await startDocument(t)
  const spec = httpSource(server.url, { headers: { Authorization: 'Bearer abc' } })
  const yaml =
    'backends: { b: { servers: { s: http://10.0.0.1 } } }\nfrontends: { f: { route: Path("/"), backend: b } }\n'

  for (const [body, type] of [
    [yaml, 'application/yaml'],
    [yaml, 'text/plain'],
    [documentOf({ f: 'Path("/")' }), 'text/plain'],
    ['{ frontends: { f: { route: Path("/") } } }', 'text/yaml; charset=utf-8'],
  ] as const) {
    server.set(body, type)
    const watcher = watchProvider(t, createHttpProvider(spec, null))
    const first = await watcher.next()
    await watcher.stop()

    assert.deepEqual(routesOf(first), { f: 'Path("/")' }, type)
  }
  assert.equal(server.requests[0]?.headers['authorization'], 'Bearer abc')
})

test('http reads the dynamic configuration of Traefik, and reports what it has no place for', async (t) => {
  const server = await startDocument(t)
  server.set(
    `http:
  routers:
    shop: { rule: "Host(\`shop\`)", service: shop, entryPoints: [web], middlewares: [limit] }
    admin: { rule: "Host(\`admin\`)", service: shop, middlewares: [auth] }
  middlewares:
    limit: { inFlightReq: { amount: 5 } }
    auth: { basicAuth: {} }
  services:
    shop: { loadBalancer: { passHostHeader: false, servers: [{ url: http://10.0.0.1 }, { url: http://10.0.0.2 }] } }
log: { level: debug }
`,
    'application/yaml',
  )
  const spec = httpSource(server.url, { format: 'traefik' })
  const watcher = watchProvider(t, createHttpProvider(spec, createTraefikLayout('http')))

  const first = await watcher.next()

  assert.ok(first.readable)
  const objects = new Map([...first.objects].map((one) => [`${one.kind} ${one.id}`, one]))
  assert.deepEqual([...objects.keys()].toSorted(), [
    'frontend admin',
    'frontend shop',
    'server shop/0',
    'server shop/1',
  ])
  const shop = objects.get('frontend shop')?.value as Record<string, unknown>
  assert.equal(shop['route'], 'Listener("web") && Host(`shop`)')
  assert.equal(shop['passHost'], false)
  // A guard that is not there closes the route.
  assert.match(JSON.stringify(objects.get('frontend admin')?.value), /"status":503/)
  assert.deepEqual(
    first.problems.map(({ message }) => message),
    ['"log" is no section of Traefik\'s dynamic configuration'],
  )
})

const faults: Readonly<Record<string, (response: ServerResponse) => void>> = {
  'a 500': (response) => response.writeHead(500).end('broken'),
  'a 404': (response) => response.writeHead(404).end('gone'),
  'a redirect': (response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(),
  'more than maxSize': (response) => response.end('x'.repeat(5_000)),
  'no response in time': () => {},
  'half a body': (response) => {
    response.writeHead(200, { 'content-length': '100' }).write('{', () => response.destroy())
  },
}

for (const [name, respond] of Object.entries(faults)) {
  test(`http is lost at ${name}, within its time`, async (t) => {
    const options = { timeout: '300ms', maxSize: '4096' }
    const { server, watcher } = await open(t, options, { one: 'Host("one")' })

    server.respond((_, response) => respond(response))

    await assert.rejects(watcher.next(), (error) => !(error instanceof SourceRefused))
  })
}

for (const status of [401, 403]) {
  test(`http is refused at ${status}, and its query is not shown`, async (t) => {
    const server = await startDocument(t)
    server.respond((_, response) => response.writeHead(status).end('no'))
    const spec = httpSource(`${server.url}?token=secret`)
    const watcher = watchProvider(t, createHttpProvider(spec, null))

    await assert.rejects(watcher.next(), (error) => {
      assert.ok(error instanceof SourceRefused)
      assert.ok(!error.message.includes('secret'))
      return true
    })
  })
}

const unreadable: Readonly<Record<string, string>> = {
  nothing: '',
  'white space': ' \n',
  HTML: '<html><body>busy</body></html>',
  'a list': '[]',
  'a section that is no map': '{"frontends": []}',
  'a section that there is not': '{"frontend": {}}',
  'JSON of 10,000 levels': `{"frontends":${'['.repeat(10_000)}${']'.repeat(10_000)}}`,
  'YAML that grows without end': `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefghijk'
    .split('')
    .map((name, at) => `${name}: &${name} [${`*${'abcdefghij'[at]},`.repeat(9)}]`)
    .join('\n')}\nfrontends: *k\n`,
}

for (const [name, body] of Object.entries(unreadable)) {
  test(`http keeps its declaration if the document becomes ${name}`, async (t) => {
    const { server, watcher } = await open(t, {}, { one: 'Host("one")' })

    server.set(body, name.startsWith('YAML') ? 'text/yaml' : 'application/json')
    const harmed = await watcher.next()
    server.set(documentOf({ one: 'Host("one")' }))
    const healed = await watcher.next()

    assert.equal(harmed.readable, false)
    assert.ok(harmed.problems.length > 0)
    assert.deepEqual(routesOf(healed), { one: 'Host("one")' })
  })
}

test('http resolves no references, and reports settings', async (t) => {
  const server = await startDocument(t)
  const route: string = `$\{HOME}$\{file:/etc/passwd}`
  server.set(JSON.stringify({ frontends: { f: { route } }, workers: 3, trusted: ['0.0.0.0/0'] }))

  const first = await watchProvider(t, createHttpProvider(httpSource(server.url), null)).next()

  assert.deepEqual(routesOf(first), { f: route })
  assert.deepEqual(
    first.problems.map(({ message }) => message.split(':')[0]),
    ['workers', 'trusted'],
  )
})

async function open(
  t: TestContext,
  options: object,
  routes: Routes,
): Promise<{ readonly server: DocumentServer; readonly watcher: Watcher }> {
  const server = await startDocument(t)
  server.set(documentOf(routes))
  const watcher = watchProvider(t, createHttpProvider(httpSource(server.url, options), null))
  await watcher.next()
  return { server, watcher }
}

function documentOf(routes: Routes): string {
  const written = Object.entries(routes).map(
    ([id, route]) => [id, { route, backend: 'b' }] as const,
  )
  const frontends: Record<string, object> = Object.fromEntries(written)
  return JSON.stringify({ frontends })
}

async function until(isSo: () => boolean): Promise<void> {
  const end = performance.now() + PATIENCE_MS
  while (!isSo()) {
    assert.ok(performance.now() < end, 'it takes too long')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
