// Issue: "so that init scripts and vulcand's own system tests run unchanged against etcd v3": what those check, and the defects of
// vulcand that a successor must not have, with the program, a real etcd, and requests as vctl sends them.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { get } from 'node:https'
import { test, type TestContext } from 'node:test'
import { createAuthority } from '../support/certificates.ts'
import { startEtcd, type Etcd } from '../support/etcd.ts'
import { startOrigin, type Origin } from '../support/origin.ts'
import { choosePort } from '../support/ports.ts'
import { makeFolder } from '../support/program.ts'
import { eventually } from '../support/until.ts'
import { declare, exchange, startVulcand, type Reply, type Vulcand } from '../support/vulcand.ts'

interface World {
  readonly etcd: Etcd
  readonly vulcand: Vulcand
  readonly origin: (text: string) => Promise<Origin>
  readonly serves: (path: string, text: string, headers?: Record<string, string>) => Promise<Reply>
}

const STEPS: readonly (readonly [title: string, step: (world: World) => Promise<void>])[] = [
  [
    'two live servers are both reached within three requests',
    async ({ vulcand, origin, serves }) => {
      const [one, two] = [await origin('one'), await origin('two')]
      await declare(vulcand, 'both', 'Path("/both")', [one.url, two.url])
      await serves('/both', '')

      const texts = new Set<string>()
      for (let at = 0; at < 3; at += 1) texts.add((await vulcand.get('/both')).text)

      assert.deepEqual([...texts].sort(), ['one', 'two'])
    },
  ],
  [
    'a frontend that is deleted is not found, and its backend can then be deleted',
    async ({ vulcand, origin, serves }) => {
      await declare(vulcand, 'crud', 'Path("/crud")', [(await origin('crud')).url])
      await serves('/crud', 'crud')
      const used = await vulcand.api('DELETE', '/v2/backends/crud')
      const gone = await vulcand.api('DELETE', '/v2/frontends/crud')
      await serves('/crud', '{"error":"not found"}')
      const after = await vulcand.api('DELETE', '/v2/backends/crud')

      assert.match(used.text, /can not delete backend 'crud', it is in use by/)
      assert.deepEqual([gone.status, gone.text], [200, '{"message":"Frontend deleted"}'])
      assert.deepEqual([after.status, after.text], [200, '{"message":"Backend deleted"}'])
    },
  ],
  [
    'a failover predicate hides a server that refuses connections',
    async ({ vulcand, origin, serves }) => {
      const dead = `http://127.0.0.1:${await choosePort()}`
      await declare(vulcand, 'fail', 'Path("/fail")', [dead, (await origin('alive')).url], {
        FailoverPredicate: 'IsNetworkError() && Attempts() <= 1',
      })
      await serves('/fail', 'alive')

      for (let at = 0; at < 4; at += 1) assert.equal((await vulcand.get('/fail')).status, 200)
    },
  ],
  [
    'a rate limit responds with 429, X-Retry-In and the text of vulcand',
    async ({ vulcand, origin, serves }) => {
      await declare(vulcand, 'rate', 'Path("/rate")', [(await origin('rate')).url])
      await serves('/rate', 'rate')
      await vulcand.post('/v2/frontends/rate/middlewares', {
        Middleware: {
          ...{ Id: 'rl', Priority: 0, Type: 'ratelimit' },
          Middleware: { PeriodSeconds: 3600, Requests: 1, Burst: 1, Variable: 'client.ip' },
        },
      })

      const refused = await eventually(async () => {
        const reply = await vulcand.get('/rate')
        return reply.status === 429 && reply
      }, 'the limit is in force')

      assert.match(String(refused.headers['x-retry-in']), /^(?:59m|1h)/)
      assert.match(refused.text, /^max rate reached: retry-in /)
    },
  ],
  [
    'servers and frontends with a TTL expire',
    async ({ vulcand, origin, serves }) => {
      await declare(vulcand, 'ttl', 'Path("/ttl")', [])
      const Server = { Id: 's', URL: (await origin('ttl')).url }
      await vulcand.post('/v2/backends/ttl/servers', { Server, TTL: '2s' })
      await serves('/ttl', 'ttl')

      await eventually(async () => (await vulcand.get('/ttl')).status === 503, 'the server expires')

      const Frontend = { Id: 'ttl', Type: 'http', BackendId: 'ttl', Route: 'Path("/ttl")' }
      await vulcand.post('/v2/frontends', { Frontend, TTL: '2s' })
      await serves('/ttl', '{"error":"not found"}')
    },
  ],
  [
    'a change of PassHostHeader alone takes effect',
    async ({ vulcand, origin, serves }) => {
      const server = await origin('host')
      const hostOf = (): string =>
        /^host: (.*)$/im.exec(server.requests.at(-1)?.head ?? '')?.[1]?.trim() ?? ''
      await declare(vulcand, 'host', 'Host("a.example") && Path("/host")', [server.url])
      await serves('/host', 'host', { Host: 'a.example' })
      assert.equal(hostOf(), `127.0.0.1:${server.port}`)

      await declare(vulcand, 'host', 'Host("a.example") && Path("/host")', [server.url], {
        PassHostHeader: true,
      })

      await eventually(async () => {
        await vulcand.get('/host', { Host: 'a.example' })
        return hostOf() === 'a.example'
      }, 'the Host of the client is passed')
    },
  ],
  [
    'a listener is added, moves to another address, and is removed while it serves',
    async ({ vulcand, origin, serves }) => {
      await declare(vulcand, 'lis', 'Path("/lis")', [(await origin('lis')).url])
      await serves('/lis', 'lis')
      const [first, second] = [await choosePort(), await choosePort()]
      const post = (port: number, Scope = ''): Promise<void> => {
        const Address = { Network: 'tcp', Address: `127.0.0.1:${port}` }
        return vulcand.post('/v2/listeners', {
          Listener: { Id: 'l1', Protocol: 'http', Address, Scope },
        })
      }
      const statusAt = (port: number): Promise<number> =>
        exchange(port, 'GET', '/lis').then(
          ({ status }) => status,
          () => 0,
        )
      await post(first)
      await eventually(async () => (await statusAt(first)) === 200, 'it listens')

      await post(second, 'Path("/other")')
      await eventually(async () => (await statusAt(second)) === 404, 'it has moved, with a scope')
      await eventually(async () => (await statusAt(first)) === 0, 'the former address is free')

      await vulcand.api('DELETE', '/v2/listeners/l1')
      await eventually(async () => (await statusAt(second)) === 0, 'it is removed')
    },
  ],
  [
    'an object that arrives before what it needs comes into force when that is there',
    async ({ etcd, vulcand, origin, serves }) => {
      const put = (key: string, value: object): Promise<string> =>
        etcd.put(`/vt/${key}`, JSON.stringify(value))
      await put('frontends/early/middlewares/c', {
        ...{ Id: 'c', Type: 'connlimit', Priority: 0 },
        Middleware: { Connections: 5, Variable: 'client.ip' },
      })
      await put('frontends/early/frontend', {
        ...{ Type: 'http', BackendId: 'early', Route: 'Path("/early")' },
      })
      // No broader route may take its requests.
      await eventually(async () => (await vulcand.get('/early')).status === 503, 'it waits')

      await put('backends/early/servers/s', { URL: (await origin('early')).url })
      await serves('/early', 'early')
      await put('backends/early/backend', { Type: 'http' })

      await serves('/early', 'early')
    },
  ],
  [
    'values that end vulcand leave all else as it is',
    async ({ etcd, vulcand, origin, serves }) => {
      await declare(vulcand, 'calm', 'Path("/calm")', [(await origin('calm')).url])
      await serves('/calm', 'calm')

      await etcd.put('/vt/frontends/nil/frontend', 'null')
      await etcd.put('/vt/backends/nil/servers/s', '{"URL":"http:///no-host"}')
      await etcd.put('/vt/listeners/unix', '{"Protocol":"http","Address":{"Network":"no"}}')
      await declare(vulcand, 'calm2', 'Path("/calm2")', [(await origin('calm2')).url])

      await serves('/calm2', 'calm2')
      assert.equal((await vulcand.get('/calm')).text, 'calm')
    },
  ],
  [
    // vulcand's issue 213: "vulcan ignoring new nodes".
    'a burst of servers that are written, removed and written again is wholly in force',
    async ({ etcd, vulcand }) => {
      await declare(vulcand, 'burst', 'Path("/burst")', [])
      for (let at = 0; at < 120; at += 1) {
        const key = `/vt/backends/burst/servers/s${at}`
        const value = JSON.stringify({ URL: `http://127.0.0.1:${10_000 + at}` })
        await etcd.put(key, value)
        if (at % 4 === 0 || at % 8 === 1) await etcd.del(key)
        if (at % 4 === 0) await etcd.put(key, value)
      }

      await eventually(async () => {
        const { text } = await vulcand.api('GET', '/api/servers?backend=burst')
        return (JSON.parse(text) as unknown[]).length === 105
      }, 'all of them are in force')
    },
  ],
  [
    'a delete takes one object, and not those whose names begin like it',
    async ({ vulcand, origin, serves }) => {
      await declare(vulcand, 'b1', 'Path("/b1")', [(await origin('b1')).url])
      await declare(vulcand, 'b10', 'Path("/b10")', [(await origin('b10')).url])
      const Server = { Id: 's10', URL: (await origin('b1')).url }
      await vulcand.post('/v2/backends/b1/servers', { Server })

      await vulcand.api('DELETE', '/v2/backends/b1/servers/s1')
      const left = await vulcand.api('GET', '/v2/backends/b1/servers')

      assert.deepEqual(JSON.parse(left.text), { Servers: [Server] })
      await serves('/b10', 'b10')
    },
  ],
]

test('the system tests of vulcand', async (t) => {
  const world = await openWorld(t)
  for (const [title, step] of STEPS) await t.test(title, () => step(world))
})

test('after a restart b1 has no server of b10, and a bad object keeps nothing from starting', async (t) => {
  const { etcd, vulcand, origin } = await openWorld(t)
  await declare(vulcand, 'b1', 'Path("/b1")', [(await origin('b1')).url])
  await declare(vulcand, 'b10', 'Path("/b10")', [(await origin('b10')).url])
  await etcd.put('/vt/listeners/bad', '{"Protocol":"gopher"}')
  await etcd.put('/vt/frontends/bad/frontend', '{"Type":"http","Route":"Pth(","BackendId":"no"}')
  vulcand.signal('SIGTERM')
  await vulcand.ended()

  const next = await startVulcand(t, flagsFor(etcd, t), vulcand)

  for (let at = 0; at < 4; at += 1) assert.equal((await next.get('/b1')).text, 'b1')
  assert.equal((await next.get('/b10')).text, 'b10')
})

test('an https listener serves the sealed certificate of a host that was added by the API', async (t) => {
  const { etcd, vulcand, origin } = await openWorld(t, [`-sealKey=${SEAL_KEY}`])
  const authority = createAuthority(t)
  const { cert, key } = authority.issue('tls.example')
  const port = await choosePort()
  await declare(vulcand, 'tls', 'Host("tls.example")', [(await origin('over tls')).url])
  const KeyPair = { Key: base64(key), Cert: base64(cert) }
  await vulcand.post('/v2/hosts', {
    Host: { Name: 'tls.example', Settings: { Default: true, KeyPair } },
  })
  const Address = { Network: 'tcp', Address: `127.0.0.1:${port}` }
  await vulcand.post('/v2/listeners', { Listener: { Id: 'tls', Protocol: 'https', Address } })

  const text = await eventually(
    () => getOverTls(port, authority.cert).catch(() => null),
    'it is served over TLS',
  )
  const range = await etcd.call('/v3/kv/range', { key: base64('/vt/hosts/tls.example/host') })
  const shown = await vulcand.api('GET', '/v2/hosts')

  assert.equal(text, 'over tls')
  const [{ value }] = (range as { kvs: readonly [{ value: string }] }).kvs
  const { Settings } = JSON.parse(decoded(value)) as { Settings: { KeyPair: string } }
  const sealed = JSON.parse(decoded(Settings.KeyPair)) as object
  assert.deepEqual(Object.keys(sealed), ['Encryption', 'Value'])
  // vulcand gives the private key to everybody who asks.
  assert.ok(!shown.text.includes(KeyPair.Key))
})

const SEAL_KEY = randomBytes(32).toString('hex')

function flagsFor(etcd: Etcd, t: TestContext): string[] {
  return [`-etcd=http://${etcd.endpoint}`, '-etcdKey=/vt', `-data=${makeFolder(t)}`]
}

async function openWorld(t: TestContext, flags: readonly string[] = []): Promise<World> {
  const etcd = await startEtcd(t)
  const vulcand = await startVulcand(t, [...flagsFor(etcd, t), ...flags])
  return {
    etcd,
    vulcand,
    origin: (text) =>
      startOrigin(t, `HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`),
    serves: (path, text, headers) =>
      eventually(async () => {
        const reply = await vulcand.get(path, headers)
        return (text === '' ? reply.status === 200 : reply.text === text) && reply
      }, `${path} responds with ${text}`),
  }
}

function getOverTls(port: number, ca: string): Promise<string> {
  const options = { port, host: '127.0.0.1', servername: 'tls.example', ca, agent: false }
  const headers = { Host: 'tls.example' }
  return new Promise((resolve, reject) => {
    get({ ...options, headers }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (piece: string) => (text += piece))
      response.once('end', () => resolve(text))
      response.once('error', reject)
    }).once('error', reject)
  })
}

function decoded(text: string): string {
  return Buffer.from(text, 'base64').toString()
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}
