// Servers that are named: RFC 8305 (several addresses), and what a dead resolver, a dead name and a moved one do to requests.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { connectClient } from '../support/client.ts'
import { startDnsServer, type DnsBehavior, type DnsServer } from '../support/dns-server.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { value } from '../support/message.ts'
import { startSilent } from '../support/silent.ts'
import { eventually } from '../support/until.ts'

interface Placed {
  readonly port: number
  /** Connections that are open now. */
  open(): number
  /** Responses to /held, once each is let go. */
  readonly held: ServerResponse[]
}

/** A server at an address of its own, which it responds with; at a port that another one has, too. */
async function startAt(t: TestContext, host: string, port = 0): Promise<Placed> {
  const sockets = new Set<Socket>()
  const held: ServerResponse[] = []
  const server = createServer((request, response) => {
    if (request.url === '/held') held.push(response)
    else response.end(host)
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  server.listen(port, host)
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(resolve))
  })
  return { port: (server.address() as AddressInfo).port, open: () => sockets.size, held }
}

/** A frontend `/name/` for each name, to that name at the port. */
function startNamed(
  t: TestContext,
  dns: DnsServer,
  names: readonly string[],
  port: number,
  rest: object = {},
  resolver: object = { timeout: '10s' },
): Promise<TestGateway> {
  return startGateway(t, {
    resolver: { servers: [dns.address], search: [], ndots: 1, ...resolver },
    listeners: { web: { address: '127.0.0.1:0' } },
    backends: Object.fromEntries(
      names.map((name) => [name, { servers: { s: `http://${name}:${port}` }, ...rest }]),
    ),
    frontends: Object.fromEntries(
      names.map((name) => [name, { route: `Host("${name}")`, backend: name }]),
    ),
  })
}

interface Told {
  readonly status: number
  readonly body: string
  readonly proxyStatus: string
}

async function ask(gateway: TestGateway, host: string, path = '/'): Promise<Told> {
  const client = await connectClient(gateway.port)
  const request = `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`
  const response = await client.ask(request)
  client.end()
  const { status, body } = response
  return { status, body: body.toString(), proxyStatus: value(response, 'proxy-status') ?? '' }
}

/** Asks until the response is the one that is waited for. */
async function askUntil(
  ask: () => Promise<Told>,
  isWanted: (response: Told) => boolean,
  patienceMs = 30_000,
): Promise<number> {
  const began = performance.now()
  while (!isWanted(await ask())) {
    assert.ok(performance.now() - began < patienceMs, 'it takes too long')
  }
  return performance.now() - began
}

test('names that are not answered for hold up no request to others, however many ask for them', async (t) => {
  const { port } = await startAt(t, '127.0.0.1')
  const dead = ['dead1.test', 'dead2.test', 'dead3.test', 'dead4.test', 'dead5.test']
  const dns = await startDnsServer(t, {
    'app.test': { addresses: ['127.0.0.1'] },
    ...Object.fromEntries(dead.map((name) => [name, 'hang'])),
  })
  const gateway = await startNamed(t, dns, ['app.test', ...dead], port)
  // At the end the gateway cuts those that still wait.
  const waiting = Promise.allSettled(
    dead.flatMap((name) => Array.from({ length: 8 }, () => ask(gateway, name))),
  )

  const began = performance.now()
  for (let times = 0; times < 20; times++) {
    assert.equal((await ask(gateway, 'app.test')).status, 200)
  }
  assert.ok(performance.now() - began < 2_000, 'no request waited')
  assert.equal(gateway.records().length, 20)

  for (const name of dead) dns.set(name, 'nxdomain')
  await gateway.close()
  await waiting
})

test('a name that has never been resolved is waited for by its first requests', async (t) => {
  const { port } = await startAt(t, '127.0.0.1')
  const dns = await startDnsServer(t, { 'app.test': 'hang' })
  const gateway = await startGateway(t, {
    resolver: { servers: [dns.address], search: [], timeout: '200ms', attempts: 10 },
    origin: 1,
    backend: { servers: { s: `http://app.test:${port}` } },
  })
  const responses = Promise.all([ask(gateway, 'a'), ask(gateway, 'a')])
  await eventually(() => dns.questions.length > 0, 'the question')

  dns.set('app.test', { addresses: ['127.0.0.1'] })

  for (const { status } of await responses) assert.equal(status, 200)
})

test('a name without an address is 502 at once with its reason, and follows when it gets one', async (t) => {
  const { port } = await startAt(t, '127.0.0.1')
  const dns = await startDnsServer(t)
  const gateway = await startNamed(t, dns, ['app.test'], port)
  const first = await ask(gateway, 'app.test')
  const began = performance.now()
  const second = await ask(gateway, 'app.test')

  for (const response of [first, second]) {
    assert.equal(response.status, 502)
    assert.match(response.proxyStatus, /error=dns_error/)
  }
  assert.ok(performance.now() - began < 500, 'it was not waited for')
  assert.match(gateway.records()[0]?.detail ?? '', /NXDOMAIN/)

  dns.set('app.test', { addresses: ['127.0.0.1'] })
  await askUntil(
    () => ask(gateway, 'app.test'),
    ({ status }) => status === 200,
  )
})

test('a request that waits for a name longer than its connect limit is refused as such', async (t) => {
  const dns = await startDnsServer(t, { 'app.test': 'hang' })
  const gateway = await startNamed(t, dns, ['app.test'], 1, {
    timeouts: { connect: '300ms' },
    retry: { attempts: 1 },
  })

  const response = await ask(gateway, 'app.test')

  assert.equal(response.status, 502)
  assert.match(gateway.records()[0]?.detail ?? '', /name was not resolved within 300 ms/)
})

test('a changed address is used within its time to live and a second, idle connections go, busy ones end in order', async (t) => {
  const first = await startAt(t, '127.0.0.1')
  const second = await startAt(t, '127.0.0.2', first.port)
  const dns = await startDnsServer(t, { 'app.test': { addresses: ['127.0.0.1'], ttl: 1 } })
  const gateway = await startNamed(t, dns, ['app.test'], first.port)
  const busy = ask(gateway, 'app.test', '/held')
  await eventually(() => first.held.length === 1, 'the request that takes long')
  assert.equal((await ask(gateway, 'app.test')).body, '127.0.0.1')
  assert.equal(first.open(), 2)

  dns.set('app.test', { addresses: ['127.0.0.2'], ttl: 1 })
  const tookMs = await askUntil(
    () => ask(gateway, 'app.test'),
    ({ status, body }) => {
      assert.equal(status, 200)
      return body === '127.0.0.2'
    },
  )

  assert.ok(tookMs < 5_000, `after ${tookMs} ms`)
  await eventually(() => first.open() === 1, 'the idle connection goes')
  first.held[0]?.end('whole')
  assert.equal((await busy).body, 'whole')
  await eventually(() => first.open() === 0, 'the busy one goes with its response')
  assert.ok(second.open() > 0)
})

test('the last good address is used while the resolver fails, lies or is gone', async (t) => {
  const { port } = await startAt(t, '127.0.0.1')
  const lies: readonly DnsBehavior[] = [
    ...(['servfail', 'nxdomain', 'empty', 'hang', 'garbage', 'wrong id', 'wrong name'] as const),
    { addresses: ['169.254.169.254'], ttl: 1 },
    { addresses: ['0.0.0.0', '::ffff:169.254.169.254'], ttl: 1 },
  ]
  const names = lies.map((_, at) => `lie${at}.test`)
  const dns = await startDnsServer(t)
  for (const name of names) dns.set(name, { addresses: ['127.0.0.1'], ttl: 1 })
  const quick = { timeout: '50ms', attempts: 1 }
  const gateway = await startNamed(t, dns, names, port, {}, quick)
  // An answer may take longer than that time limit.
  for (const name of names) {
    await askUntil(
      () => ask(gateway, name),
      ({ status }) => status === 200,
    )
  }

  names.forEach((name, at) => dns.set(name, lies[at] ?? 'hang'))
  const asked = dns.questions.length
  const isAskedTwice = (name: string): boolean =>
    dns.questions.slice(asked).filter((question) => question === `a ${name}`).length > 1
  while (!names.every(isAskedTwice)) {
    for (const name of names) assert.equal((await ask(gateway, name)).status, 200, name)
  }

  await dns.die()
  for (const name of names) assert.equal((await ask(gateway, name)).status, 200, name)
})

test('all addresses of a name are used in turn', async (t) => {
  const hosts = ['127.0.0.1', '127.0.0.2', '127.0.0.3']
  const { port } = await startAt(t, '127.0.0.1')
  for (const host of hosts.slice(1)) await startAt(t, host, port)
  const dns = await startDnsServer(t, { 'app.test': { addresses: hosts } })
  const gateway = await startNamed(t, dns, ['app.test'], port, { limits: { idle: 0 } })
  const seen: string[] = []
  for (let times = 0; times < 6; times++) seen.push((await ask(gateway, 'app.test')).body)

  assert.deepEqual(seen.sort(), [...hosts, ...hosts].sort())
})

test('an address that refuses is passed over without an error, whichever family it has', async (t) => {
  const { port } = await startAt(t, '127.0.0.1')
  const dns = await startDnsServer(t, {
    'four.test': { addresses: ['127.0.0.9', '127.0.0.1', '127.0.0.8'] },
    'six.test': { addresses: ['::1', '127.0.0.1'] },
  })
  const gateway = await startNamed(t, dns, ['four.test', 'six.test'], port, {
    limits: { idle: 0 },
    retry: { attempts: 1 },
  })

  for (const name of ['four.test', 'six.test', 'four.test', 'six.test', 'four.test']) {
    assert.equal((await ask(gateway, name)).status, 200, name)
  }
  assert.ok(gateway.records().every(({ attempts }) => attempts === 1))
})

test('where every address refuses the request fails once, and says what was refused', async (t) => {
  const { port } = await startAt(t, '127.0.0.1')
  const dns = await startDnsServer(t, { 'app.test': { addresses: ['127.0.0.8', '127.0.0.9'] } })
  const gateway = await startNamed(t, dns, ['app.test'], port, { retry: { attempts: 1 } })

  const response = await ask(gateway, 'app.test')

  assert.equal(response.status, 502)
  assert.match(response.proxyStatus, /error=connection_refused/)
  assert.match(gateway.records()[0]?.detail ?? '', /ECONNREFUSED 127\.0\.0\.[89]/)
})

test('an address that takes no connection is tried for a quarter of a second, and avoided afterwards', async (t) => {
  const { port } = await startAt(t, '127.0.0.1')
  await startSilent(t, '127.0.0.2', port)
  const dns = await startDnsServer(t, { 'app.test': { addresses: ['127.0.0.1', '127.0.0.2'] } })
  const gateway = await startNamed(t, dns, ['app.test'], port, { limits: { idle: 0 } })

  for (let times = 0; times < 6; times++) {
    const began = performance.now()
    assert.equal((await ask(gateway, 'app.test')).status, 200)
    assert.ok(performance.now() - began < 1_500, 'the other address was tried beside it')
  }
})

test('a name that leads back to the proxy by one of its addresses is not connected to there', async (t) => {
  const dns = await startDnsServer(t, { 'loop.test': { addresses: ['127.0.0.8', '127.0.0.1'] } })
  const gateway = await startGateway(t, {
    resolver: { servers: [dns.address], search: [] },
    listeners: { web: { address: '127.0.0.1:0' } },
    backends: {},
    frontends: {},
  })
  await gateway.apply({
    listeners: { web: { address: '127.0.0.1:0' } },
    backends: { b: { servers: { s: `http://loop.test:${gateway.port}` } } },
    frontends: { f: { route: 'PathPrefix("/")', backend: 'b' } },
  })

  const response = await ask(gateway, 'any')

  assert.match(response.proxyStatus, /proxy_loop_detected/)
})
