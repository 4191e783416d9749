import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request, type IncomingHttpHeaders } from 'node:http'
import { connect, createServer } from 'node:net'
import { test, type TestContext } from 'node:test'
import { NO_ACME } from '../../src/observe/reports/acme-report.ts'
import { createAdmin, type Admin, type AdminOptions } from '../../src/admin/server.ts'
import type { Log } from '../../src/observe/log.ts'

const LOOPBACK = { host: '127.0.0.1', port: 0 }

interface Logged {
  readonly level: string
  readonly message: string
}

interface Site {
  readonly admin: Admin
  readonly logged: readonly Logged[]
  get(path: string, options?: Asked): Promise<Answer>
}

interface Asked {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
}

interface Answer {
  readonly status: number | undefined
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

async function startAdmin(t: TestContext, options: Partial<AdminOptions> = {}): Promise<Site> {
  const logged: Logged[] = []
  const at =
    (level: string): Log['info'] =>
    (_fields, message) =>
      logged.push({ level, message })
  const admin = await createAdmin({
    address: LOOPBACK,
    table: () => ({ objects: [], setAside: [] }),
    certificates: { certificates: () => [], acme: () => NO_ACME },
    servers: { servers: () => [], breakers: () => [] },
    metrics: { contentType: 'text/plain; version=0.0.4', render: async () => 'up 1\n' },
    ready: () => ({ ready: true, reason: 'the table is in force', notListening: [] }),
    providers: () => [],
    confirm: () => 'unknown',
    reload: () => false,
    log: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') },
    ...options,
  })
  t.after(() => admin.close())
  return { admin, logged, get: (path, asked) => get(admin.address.port, path, asked) }
}

async function get(port: number, path: string, asked: Asked = {}): Promise<Answer> {
  const { method = 'GET', headers = {} } = asked
  return await new Promise((resolve, reject) => {
    const outgoing = request({ port, host: '127.0.0.1', path, method, headers, agent: false })
    outgoing.once('error', reject)
    outgoing.once('response', (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => (text += chunk))
      response.once('error', reject)
      response.once('end', () =>
        resolve({ status: response.statusCode, headers: response.headers, text }),
      )
    })
    outgoing.end()
  })
}

/** Sends bytes as they are and gives what came back by the time that the connection was closed. */
async function sendRaw(port: number, bytes: string | Buffer): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  let text = ''
  socket.on('data', (chunk) => (text += chunk.toString('latin1')))
  socket.on('error', () => {})
  socket.end(bytes)
  await once(socket, 'close')
  return text
}

test('each page answers with its type', async (t) => {
  const site = await startAdmin(t)

  const pages = await Promise.all(
    ['/', '/healthz', '/readyz', '/metrics', '/v2/status', '/api/table'].map((path) =>
      site.get(path),
    ),
  )

  assert.deepEqual(
    pages.map(({ status, headers }) => [status, headers['content-type']]),
    [
      [200, 'text/plain; charset=utf-8'],
      [200, 'text/plain; charset=utf-8'],
      [200, 'application/json'],
      [200, 'text/plain; version=0.0.4'],
      [200, 'application/json; charset=utf-8'],
      [200, 'application/json'],
    ],
  )
  const texts = pages.map(({ text }) => text)
  assert.match(texts[0] ?? '', /\/api\/table/)
  assert.equal(texts[1], 'ok\n')
  assert.equal(texts[3], 'up 1\n')
  assert.equal(texts[4], '{"Status":"ok"}')
  assert.deepEqual(JSON.parse(texts[5] ?? ''), { objects: [], setAside: [] })
})

test('it is not ready, and says why, until it is', async (t) => {
  let readiness = { ready: false, reason: 'waiting for the first table', notListening: [] }
  const site = await startAdmin(t, { ready: () => readiness })

  const before = await site.get('/readyz')
  readiness = { ready: true, reason: 'revision 1 is in force', notListening: [] }
  const after = await site.get('/readyz')

  assert.equal(before.status, 503)
  assert.deepEqual(JSON.parse(before.text), {
    ready: false,
    reason: 'waiting for the first table',
    notListening: [],
  })
  assert.equal(after.status, 200)
})

test('HEAD gives the head alone', async (t) => {
  const site = await startAdmin(t)

  for (const path of ['/', '/healthz', '/readyz', '/metrics', '/v2/status', '/api/table']) {
    const response = await site.get(path, { method: 'HEAD' })

    assert.equal(response.status, 200, path)
    assert.equal(response.text, '')
  }
})

test('other methods are refused with 405, and unknown paths with 404', async (t) => {
  const site = await startAdmin(t)

  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE']) {
    const response = await site.get('/api/table', { method })

    assert.equal(response.status, 405, method)
    assert.equal(response.headers.allow, 'GET, HEAD')
  }
  for (const path of [
    '/nothing',
    '/metrics/',
    '//',
    '/__proto__',
    '/constructor',
    '/%2e/healthz',
  ]) {
    const response = await site.get(path)

    assert.equal(response.status, 404, path)
    assert.equal(response.text, '{"message":"Object not found"}\n')
  }
})

test('every answer tells browsers to run, frame, guess and keep nothing', async (t) => {
  const site = await startAdmin(t)

  for (const response of [
    await site.get('/healthz'),
    await site.get('/nothing'),
    await site.get('/api/table'),
    await site.get('/', { headers: { host: 'evil.example' } }),
  ]) {
    assert.equal(response.headers['cache-control'], 'no-store')
    assert.match(
      response.headers['content-security-policy']?.toString() ?? '',
      /default-src 'none'/,
    )
    assert.equal(response.headers['x-content-type-options'], 'nosniff')
    assert.equal(response.headers['access-control-allow-origin'], undefined)
  }
})

test('only names of this machine and those that are allowed may stand in Host', async (t) => {
  const site = await startAdmin(t, { names: ['Sluice.internal'] })
  const statusFor = async (host: string): Promise<number | undefined> =>
    (await site.get('/healthz', { headers: { host } })).status

  for (const host of [
    'localhost',
    'LOCALHOST:8182',
    '127.0.0.1:8182',
    '[::1]:8182',
    '[0:0:0:0:0:0:0:1]:8182',
    '[::ffff:7f00:1]',
    '[::FFFF:127.0.0.1]:8182',
    'sluice.internal:80',
  ]) {
    assert.equal(await statusFor(host), 200, host)
  }
  for (const host of [
    'evil.example',
    'evil.example:8182',
    'localhost.evil.example',
    'localhost@evil.example',
    '127.0.0.1.evil.example',
    '127.0.0.2',
    '[::2]',
    'localhost:8182:1',
  ]) {
    assert.equal(await statusFor(host), 421, host)
  }
})

test('names of the settings may have a wildcard as their first label, and the refusal names the setting', async (t) => {
  const site = await startAdmin(t, {
    names: ['sluice.monitoring', '*.internal', '**.svc', '192.0.2.7', '[2001:db8::7]'],
  })
  const ask = (host: string): ReturnType<typeof site.get> =>
    site.get('/metrics', { headers: { host } })

  for (const host of [
    ...['sluice.monitoring:8182', 'a.internal', 'A.Internal.:80', 'a.svc', 'a.b.svc:1'],
    ...['192.0.2.7:9090', '[2001:db8::7]:9090'],
  ]) {
    assert.equal((await ask(host)).status, 200, host)
  }
  for (const host of [
    ...['internal', 'a.b.internal', 'svc', 'asvc', '.internal', 'a.internal.evil.example'],
    ...['monitoring', '192.0.2.8', '*.internal.evil'],
  ]) {
    assert.equal((await ask(host)).status, 421, host)
  }
  const refused = JSON.parse((await ask('evil.example')).text) as { message: string }
  assert.match(
    refused.message,
    /"evil\.example".*setting admin\.hosts \(--admin-hosts, SLUICE_ADMIN/,
  )
})

test('where any host may ask, a page of another site still may not', async (t) => {
  const site = await startAdmin(t, { names: ['*'] })
  const ask = (headers: Record<string, string>): ReturnType<typeof site.get> =>
    site.get('/metrics', { headers })

  assert.equal((await ask({ host: 'any.example:1' })).status, 200)
  assert.equal((await ask({ host: 'any.example', origin: 'http://evil.example' })).status, 403)
  assert.equal((await ask({ host: 'any.example', 'sec-fetch-site': 'cross-site' })).status, 403)
})

test('the address that was connected to may stand in Host', async (t) => {
  const site = await startAdmin(t, { address: { host: '127.0.0.2', port: 0 } })
  const { port } = site.admin.address

  const response = await new Promise<number | undefined>((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.2', port, path: '/healthz', agent: false })
    outgoing.once('response', (response) => {
      response.resume()
      resolve(response.statusCode)
    })
    outgoing.once('error', reject)
    outgoing.end()
  })

  assert.equal(response, 200)
})

test('two Hosts and an empty one are refused, and HTTP/1.0 without one is answered', async (t) => {
  const { port } = (await startAdmin(t)).admin.address

  const two = await sendRaw(
    port,
    'GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n',
  )
  const empty = await sendRaw(port, 'GET /healthz HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n')
  const none = await sendRaw(port, 'GET /healthz HTTP/1.0\r\n\r\n')
  const page = await sendRaw(port, 'GET /healthz HTTP/1.0\r\nOrigin: null\r\n\r\n')

  assert.match(two, /^HTTP\/1\.1 400 /)
  assert.match(empty, /^HTTP\/1\.1 421 /)
  assert.match(none, /^HTTP\/1\.[01] 200 /)
  assert.match(page, /^HTTP\/1\.[01] 403 /)
})

test('requests from pages of other sites are refused', async (t) => {
  const site = await startAdmin(t)
  const host = `127.0.0.1:${site.admin.address.port}`
  const statusWith = async (headers: Record<string, string>): Promise<number | undefined> =>
    (await site.get('/api/table', { headers: { host, ...headers } })).status

  assert.equal(await statusWith({ 'sec-fetch-site': 'cross-site' }), 403)
  assert.equal(await statusWith({ origin: 'https://evil.example' }), 403)
  assert.equal(await statusWith({ origin: 'null' }), 403)
  assert.equal(await statusWith({ origin: 'http://127.0.0.1:1' }), 403)
  assert.equal(await statusWith({ origin: `http://${host}` }), 200)
  assert.equal(await statusWith({ 'sec-fetch-site': 'same-origin' }), 200)
  assert.equal(await statusWith({ 'sec-fetch-site': 'none' }), 200)
})

const ORIGIN = { source: 'file', key: 'sluice.yaml#/x', revision: 'abc', since: 1000 }
const TABLE = {
  number: 12,
  sources: [{ name: 'file', state: 'following' }],
  objects: [
    {
      kind: 'listener',
      id: 'secure',
      ...ORIGIN,
      object: { id: 'secure', tls: { certificates: [{ cert: 'CERTIFICATE', key: 'SECRET-1' }] } },
    },
    { kind: 'frontend', id: 'vote', ...ORIGIN, object: { id: 'vote', route: 'Host("a")' } },
    { kind: 'backend', id: 'vote', ...ORIGIN, object: { id: 'vote' } },
  ],
  setAside: [
    {
      kind: 'listener',
      id: 'broken',
      message: 'cannot read -----BEGIN EC PRIVATE KEY-----\nSECRET-2',
      source: 'file',
      key: 'sluice.yaml#/listeners/broken',
      value: { key: '-----BEGIN PRIVATE KEY-----\nSECRET-3\n-----END PRIVATE KEY-----' },
    },
  ],
}

test('the table shows every object with where it came from, and no private key', async (t) => {
  const site = await startAdmin(t, { table: () => TABLE })

  const { text } = await site.get('/api/table')

  assert.doesNotMatch(text, /SECRET/)
  const [broken] = TABLE.setAside
  assert.deepEqual(JSON.parse(text), {
    number: 12,
    sources: [{ name: 'file', state: 'following' }],
    objects: [
      {
        kind: 'listener',
        id: 'secure',
        ...ORIGIN,
        object: { id: 'secure', tls: { certificates: [{ cert: 'CERTIFICATE', key: '(hidden)' }] } },
      },
      { kind: 'frontend', id: 'vote', ...ORIGIN, object: { id: 'vote', route: 'Host("a")' } },
      { kind: 'backend', id: 'vote', ...ORIGIN, object: { id: 'vote' } },
    ],
    setAside: [{ ...broken, message: '(hidden)', value: { key: '(hidden)' } }],
  })
})

test('the table is filtered by kind and id, and a misspelt filter is refused', async (t) => {
  const site = await startAdmin(t, { table: () => TABLE })
  const idsOf = async (query: string): Promise<string[]> => {
    const { text } = await site.get(`/api/table?${query}`)
    return [...text.matchAll(/"kind":"(\w+)","id":"(\w+)"/g)].map(([, kind, id]) => `${kind} ${id}`)
  }

  assert.deepEqual(await idsOf('kind=frontend'), ['frontend vote'])
  assert.deepEqual(await idsOf('id=vote'), ['frontend vote', 'backend vote'])
  assert.deepEqual(await idsOf('kind=listener&id=broken'), ['listener broken'])
  assert.deepEqual(await idsOf('id=nobody'), [])
  assert.equal((await site.get('/api/table?kidn=frontend')).status, 400)
})

const PARTS = {
  objects: [
    {
      kind: 'host',
      id: '*.a.test',
      object: { id: '*.a.test', certificate: { cert: 'CERT', key: 'SECRET-4' } },
    },
  ],
  setAside: [
    { kind: 'server', id: 'vote/s1' },
    { kind: 'middleware', id: 'vote/s1' },
    { kind: 'host', id: '*.b.test' },
  ],
}

test('parts with keys of their own are found by kind and id, and keep their secrets', async (t) => {
  const site = await startAdmin(t, { table: () => PARTS })
  const ask = async (query: string): Promise<unknown> =>
    JSON.parse((await site.get(`/api/table?${query}`)).text)

  assert.deepEqual(await ask('kind=server&id=vote/s1'), {
    objects: [],
    setAside: [{ kind: 'server', id: 'vote/s1' }],
  })
  assert.deepEqual(await ask('kind=host'), {
    objects: [
      {
        kind: 'host',
        id: '*.a.test',
        object: { id: '*.a.test', certificate: { cert: 'CERT', key: '(hidden)' } },
      },
    ],
    setAside: [{ kind: 'host', id: '*.b.test' }],
  })
})

interface Live {
  readonly kind: string
  readonly id: string
  readonly object: object
}

function* manyObjects(count: number, seen: (index: number) => void): Generator<Live> {
  for (let i = 0; i < count; i++) {
    seen(i)
    yield { kind: 'frontend', id: `f${i}`, object: { route: ''.padEnd(200, '-') } }
  }
}

test('a large table comes whole, with turns for others in between', async (t) => {
  let at = 0
  const table = (): ReturnType<AdminOptions['table']> => ({
    objects: manyObjects(20_000, (index) => (at = index)),
    setAside: [],
  })
  const site = await startAdmin(t, { table })

  const whole = site.get('/api/table')
  let longestStep = 0
  for (let before = at; at < 19_999; before = at) {
    await new Promise((resolve) => setImmediate(resolve))
    longestStep = Math.max(longestStep, at - before)
  }
  const response = await whole

  assert.ok(longestStep < 1000, `${longestStep} objects in one turn`)
  const parsed = JSON.parse(response.text) as { objects: unknown[] }
  assert.equal(parsed.objects.length, 20_000)
})

test('a reader that stops is waited for, and one that leaves ends the work', async (t) => {
  let at = 0
  let ended = false
  function* objects(): Generator<Live> {
    try {
      yield* manyObjects(1_000_000, (index) => (at = index))
    } finally {
      ended = true
    }
  }
  const table = (): ReturnType<AdminOptions['table']> => ({
    objects: objects(),
    setAside: [],
  })
  const site = await startAdmin(t, { table })
  const socket = connect(site.admin.address.port, '127.0.0.1')
  socket.on('error', () => {})
  socket.pause()
  socket.write('GET /api/table HTTP/1.1\r\nHost: localhost\r\n\r\n')

  // It has stopped when many turns in a row bring nothing new; a writer that does not wait goes on to the end.
  for (let seen = 0, still = 0; still < 100; still = at > 0 && at === seen ? still + 1 : 0) {
    seen = at
    await new Promise((resolve) => setImmediate(resolve))
  }
  const isEndedByStop = ended
  socket.destroy()
  while (!ended) await new Promise((resolve) => setImmediate(resolve))

  assert.equal(isEndedByStop, false)
  assert.ok(at < 900_000, `it went on to ${at}`)
})

test('a page that fails is a 500, is logged, and harms nobody else', async (t) => {
  const site = await startAdmin(t, {
    metrics: { contentType: 'text/plain', render: () => Promise.reject(new Error('broken')) },
    table: () => {
      throw new Error('broken')
    },
  })

  const metrics = await site.get('/metrics')
  const table = await site.get('/api/table')
  const health = await site.get('/healthz')

  assert.equal(metrics.status, 500)
  assert.equal(table.status, 500)
  assert.equal(metrics.text, '{"message":"internal error"}\n')
  assert.deepEqual(
    site.logged.map(({ level }) => level),
    ['error', 'error'],
  )
  assert.equal(health.status, 200)
})

test('nothing that is sent brings it down', async (t) => {
  const site = await startAdmin(t)
  const { port } = site.admin.address
  const head = 'Host: localhost\r\n'
  const attempts = [
    'nonsense\r\n\r\n',
    Buffer.from([0, 1, 2, 255, 13, 10, 13, 10]),
    Buffer.from([22, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3]),
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    `GET http://evil.example/healthz HTTP/1.1\r\n${head}\r\n`,
    `GET //evil.example/healthz HTTP/1.1\r\n${head}\r\n`,
    `OPTIONS * HTTP/1.1\r\n${head}\r\n`,
    `CONNECT evil.example:80 HTTP/1.1\r\n${head}\r\n`,
    `GET /healthz HTTP/1.1\r\n${head}Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n`,
    `GET /healthz HTTP/1.1\r\n${head}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n`,
    `GET /healthz HTTP/1.1\r\n${head}Expect: more\r\n\r\n`,
    `GET /api/table?kind=%ff&id=%00%E0%A4%A HTTP/1.1\r\n${head}\r\n`,
    `GET /healthz HTTP/1.1\r\n${head}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    `GET /healthz HTTP/1.1\r\n${head}X: ${'y'.repeat(20_000)}\r\n\r\n`,
    `GET /healthz HTTP/1.1\r\n${head}Origin: http://[\r\nSec-Fetch-Site: \xff\r\n\r\n`,
    `POST /api/table HTTP/1.1\r\n${head}Content-Length: 100\r\n\r\nhalf`,
  ]

  const responses = await Promise.all(attempts.map((bytes) => sendRaw(port, bytes)))

  for (const response of responses) assert.doesNotMatch(response, /^HTTP\/1\.1 5/)
  assert.match(responses[4] ?? '', /^HTTP\/1\.1 404 /)
  assert.equal((await site.get('/healthz')).status, 200)
  assert.deepEqual(site.logged, [])
})

test('a port in use is said in one line', async (t) => {
  const holder = createServer().listen(0, '127.0.0.1')
  await once(holder, 'listening')
  t.after(() => holder.close())
  const bound = holder.address()
  assert.ok(typeof bound === 'object' && bound !== null)

  await assert.rejects(startAdmin(t, { address: { host: '127.0.0.1', port: bound.port } }), {
    message:
      `cannot listen on 127.0.0.1:${bound.port} (admin): the port is in use; ` +
      'stop what holds it, or set admin.address to another port',
  })
})

test('an address that other machines reach is warned of, loopback is not', async (t) => {
  const near = await startAdmin(t)
  const far = await startAdmin(t, { address: { host: '0.0.0.0', port: 0 } })

  assert.deepEqual(near.logged, [])
  assert.deepEqual(
    far.logged.map(({ level }) => level),
    ['warn'],
  )
  assert.match(far.logged[0]?.message ?? '', /other machines/)
})

test('closing ends idle connections and frees the port', async (t) => {
  const site = await startAdmin(t)
  const { port } = site.admin.address
  const idle = connect(port, '127.0.0.1')
  idle.on('error', () => {})
  idle.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await once(idle, 'data')
  const closed = once(idle, 'close')

  await site.admin.close()
  await closed
  const next = await startAdmin(t, { address: { host: '127.0.0.1', port } })

  assert.equal((await next.get('/healthz')).status, 200)
})

test('a time is ISO text in every answer, whatever it is called, and no other number is', async (t) => {
  const at = Date.UTC(2026, 10, 29, 15, 4, 5, 678)
  const entry = { since: at, until: null, lastEventAt: at, probe: { at }, port: 8080, bytes: at }
  const site = await startAdmin(t, {
    table: () => ({ objects: [{ kind: 'listener', id: 'a', ...entry }], setAside: [] }),
    ready: () => ({ ready: true, reason: '', notListening: [entry] }),
    providers: () => [entry as never],
    servers: { servers: () => [entry as never], breakers: () => [entry as never] },
  })
  const paths = ['/api/table', '/readyz', '/api/providers', '/api/servers', '/api/breakers']

  const texts = await Promise.all(paths.map(async (path) => (await site.get(path)).text))

  for (const text of texts) {
    const time = '"2026-11-29T15:04:05.678Z"'
    const shown = `"since":${time},"until":null,"lastEventAt":${time},"probe":{"at":${time}},"port":8080,"bytes":${at}}`
    assert.ok(text.includes(shown), text)
  }
})
