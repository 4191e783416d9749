// Issue: "Every file in config/examples is loaded and driven by a test", and so is config/sluice.yaml. Those with sources
// are driven in source-examples.test.ts.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import {
  TOGETHER,
  from,
  listExamples,
  overTls,
  placeExample,
  startExample,
  type Site,
} from '../support/example.ts'
import { exchange } from '../support/client.ts'
import { openGrpcClient, startGrpcOrigin } from '../support/grpc.ts'
import { startHttp2Server, type Http2Script } from '../support/http2/server.ts'
import { value } from '../support/message.ts'
import { get } from '../support/refusal.ts'
import { runProgram } from '../support/program.ts'
import { STAGED } from '../support/stage.ts'
import { eventually } from '../support/until.ts'

type Drive = (site: Site, t: TestContext) => Promise<void>

/** Those whose servers are none of HTTP/1.1: they are started first, on ports that replace those in the file. */
const SERVERS: Readonly<Record<string, (t: TestContext) => Promise<Map<number, number>>>> = {
  async 'examples/grpc.yaml'(t) {
    const origins = [await startGrpcOrigin(t), await startGrpcOrigin(t)]
    for (const { health } of origins) health.set('shop.Cart', 1)
    return new Map(origins.map(({ port }, at) => [5001 + at, port]))
  },
  async 'examples/http2-servers.yaml'(t) {
    const tells = (name: string): Http2Script => {
      return (request) => request.respond({ fields: [['x-server', name]], body: name })
    }
    const servers = [
      await startHttp2Server(t, tells('5001')),
      await startHttp2Server(t, tells('5002')),
    ]
    return new Map(servers.map(({ port }, at) => [5001 + at, port]))
  },
}

/** What each file promises, asked over the wire. Servers respond with the port that their file gives them. */
const DRIVES: Readonly<Record<string, Drive>> = {
  async 'sluice.yaml'(site) {
    const seen = new Set<string>()
    for (let turn = 0; turn < 6; turn++) seen.add(from(await site.get('vote.localhost', '/')))
    assert.deepEqual([...seen].sort(), ['5001', '5002', '5003'])
    assert.match(from(await site.get('127.0.0.1', '/results?a=b')), /^500[123]$/)
    const refused = await site.get('vote.localhost', '/private/a')
    assert.deepEqual([refused.status, refused.body.toString()], [403, 'Not for you.\n'])
    assert.equal((await site.get('vote.localhost', '/privately')).status, 200)
    const moved = await site.get('old.localhost', '/results?a=b')
    assert.equal(moved.status, 308)
    const to = `http://vote.localhost:${site.port(8080)}/results?a=b`
    assert.equal(value(moved, 'location'), to)
  },

  async 'examples/scale.yaml'(site) {
    const found = await eventually(async () => {
      const response = await site.get('vote.localhost', '/')
      return response.status === 200 && response
    }, 'a server that its check has found up')
    assert.match(from(found), /^500[1-4]$/)
  },

  async 'examples/every-form.yaml'(site, t) {
    const shares: Record<string, number> = { 5001: 0, 5002: 0 }
    for (let turn = 0; turn < 8; turn++) {
      const name = from(await site.get('vote.localhost', '/'))
      shares[name] = (shares[name] ?? 0) + 1
    }
    assert.ok((shares['5002'] ?? 0) > (shares['5001'] ?? 0), JSON.stringify(shares))
    const api = await site.get('vote.localhost', '/api/v1')
    assert.equal(from(api), '5003')
    assert.equal(value(api, 'x-seen-host'), 'vote.localhost')
    assert.equal((await site.get('vote.localhost', '/private')).status, 403)
    const moved = await site.get('old.localhost', '/a')
    assert.equal(value(moved, 'location'), 'https://vote.localhost/a')
    for (const name of ['vote.localhost', 'shop.localhost']) {
      assert.match(from(await overTls(t, site, name)), /^500[12]$/)
    }
    assert.equal((await overTls(t, site, 'vote.localhost', '/internal')).status, 404)
    assert.match(from(await site.get('vote.localhost', '/internal')), /^500[12]$/)
    const { text } = await site.program.ask('/api/table?kind=backend&id=api')
    assert.match(text, /"labels":\{"team":"api"\}/)
  },

  async 'examples/http2-servers.yaml'(site) {
    const seen = new Set<string>()
    for (let turn = 0; turn < 4; turn++) {
      seen.add((await site.get('vote.localhost', '/')).body.toString())
    }
    assert.deepEqual([...seen].sort(), ['5001', '5002'])
    await eventually(async () => {
      const { text } = await site.program.ask('/api/servers')
      const servers = JSON.parse(text) as readonly { protocol?: string; state: string }[]
      return servers.every(({ protocol, state }) => protocol === 'h2' && state === 'up')
    }, 'both servers are up, by HTTP/2')
  },

  async 'examples/headers.yaml'(site) {
    const response = await site.get('vote.localhost', '/', 'X-Debug: 1', 'X-Site: forged')
    assert.equal(value(response, 'x-seen-site'), 'vote')
    assert.equal(value(response, 'x-seen-debug'), 'none')
    assert.equal(value(response, 'strict-transport-security'), 'max-age=31536000')
    assert.equal(value(response, 'vary'), 'Accept-Language')
    assert.equal(value(response, 'x-powered-by'), null)
  },

  async 'examples/paths.yaml'(site) {
    assert.equal(from(await site.get('vote.localhost', '/packages/@team%2Fname//x%E9')), '5002')
    assert.equal(from(await site.get('vote.localhost', '//packages/x')), '5002')
    assert.equal(from(await site.get('vote.localhost', '/caf%E9')), '5001')
    assert.equal((await site.get('vote.localhost', '/a//b')).status, 400)
    assert.equal((await site.get('vote.localhost', '/packages/../a')).status, 400)
    assert.equal((await site.get('vote.localhost', '/packages%2fx')).status, 400)
  },

  async 'examples/least-connections.yaml'(site) {
    const names = await Promise.all(
      Array.from({ length: TOGETHER }, async () => {
        return from(await site.get('vote.localhost', '/together'))
      }),
    )
    assert.deepEqual(
      names.filter((name) => name === '5001').length,
      6,
      'three of four under way are at the server of weight 3',
    )
  },

  async 'examples/local-ports.yaml'(site, t) {
    const orders = await exchange(t, site.port(3213), get('/'))
    assert.match(from(orders), /^500[12]$/)
  },

  async 'examples/grpc.yaml'(site, t) {
    const client = openGrpcClient(t, site.program.port, {
      'grpc.default_authority': 'shop.localhost',
    })
    const path = '/shop.Cart/Add'
    const called = await client.unary('one apple', { path })
    assert.deepEqual([called.code, called.messages], [0, ['one apple']])
    const lost = await client.unary('x', { path: '/shop.Orders/Add' })
    assert.equal(lost.code, 12)
    const web = await site.ask(
      [
        `POST ${path} HTTP/1.1\r\nHost: shop.localhost\r\nOrigin: https://app.example`,
        'Content-Type: application/grpc-web\r\nContent-Length: 6\r\n\r\n\0\0\0\0\x01a',
      ].join('\r\n'),
    )
    assert.equal(value(web, 'access-control-allow-origin'), 'https://app.example')
    assert.match(web.body.toString('latin1'), /^\0\0\0\0\x01a\x80\0\0\0.grpc-status: 0\r\n/s)
  },

  async 'examples/rewrite.yaml'(site) {
    const response = await site.get('vote.localhost', '/v1/votes?a=b', 'X-Team: red')
    assert.equal(value(response, 'x-seen-path'), '/votes?a=b')
    const moved = await site.get('old.localhost:8080', '/a?b')
    const to = 'http://vote.localhost:8080/a?b'
    assert.deepEqual([moved.status, value(moved, 'location')], [302, to])
    const line =
      '{"request":{"method":"GET","body_bytes":0,"url":"/votes?a=b","headers":{"X-Team":["red"]}}'
    await eventually(() => site.program.output().includes(line), 'the trace is on standard output')
  },

  async 'examples/redirect-and-respond.yaml'(site) {
    const moved = await site.get('old.localhost', '/a?b')
    assert.deepEqual([moved.status, value(moved, 'location')], [308, 'https://vote.localhost/a?b'])
    const sale = await site.get('vote.localhost', '/sale')
    assert.deepEqual([sale.status, value(sale, 'location')], [302, '/offers'])
    const shop = await site.get('shop.localhost', '/a?b')
    assert.deepEqual([shop.status, value(shop, 'location')], [308, 'https://shop.localhost/a?b'])
    const polls = await site.get('vote.localhost:8080', '/polls/1?a=b')
    const to = 'http://vote.localhost:8080/votes/polls/1?a=b'
    assert.deepEqual([polls.status, value(polls, 'location')], [307, to])
    const robots = await site.get('any.localhost', '/robots.txt')
    assert.equal(robots.body.toString(), 'User-agent: *\nDisallow: /\n')
    assert.equal(value(robots, 'content-type'), 'text/plain')
    const closed = await site.get('vote.localhost', '/x')
    assert.deepEqual([closed.status, value(closed, 'retry-after')], [503, '120'])
    assert.equal(closed.body.toString(), 'Back soon.\n')
    assert.equal((await site.get('other.localhost', '/')).status, 404)
  },

  async 'examples/routes.json'(site) {
    const vote = 'vote.localhost'
    assert.equal(from(await site.get(vote, '/')), '5001')
    assert.equal(from(await site.get(vote, '/api/x')), '5002')
    assert.equal((await site.get(vote, '/version')).body.toString(), '1\n')
    assert.equal(from(await site.get('acme.tenants.localhost', '/')), '5001')
    assert.equal((await site.get('ACME2.tenants.localhost', '/')).status, 404)
    const post = `POST / HTTP/1.1\r\nHost: ${vote}\r\nContent-Length: 0\r\n\r\n`
    assert.equal(from(await site.ask(post)), '5002')
    assert.equal(from(await site.get(vote, '/version', 'X-Beta: yes')), '5002')
  },

  async 'examples/named-servers.yaml'(site) {
    const seen = new Set<string>()
    for (let turn = 0; turn < 4; turn++) seen.add(from(await site.get('vote.localhost', '/')))
    assert.deepEqual([...seen].sort(), ['5001', '5002'])
  },

  async 'examples/resolve-all.yaml'(site) {
    for (let turn = 0; turn < 4; turn++) {
      assert.equal(from(await site.get('vote.localhost', '/')), '5001')
    }
    const { text } = await site.program.ask('/api/servers')
    const servers = JSON.parse(text) as readonly { id: string }[]
    assert.deepEqual(servers.map(({ id }) => id).sort(), ['reserve', 'vote@127.0.0.1'])
  },

  async 'examples/tls.yaml'(site, t) {
    assert.equal(from(await site.get('vote.localhost', '/')), '5001')
    assert.equal(from(await overTls(t, site, 'vote.localhost')), '5001')
    assert.equal((await overTls(t, site, 'shop.localhost')).status, 403)
  },
}

test('every example is driven', () => {
  const driven = [...Object.keys(DRIVES), ...STAGED.map((name) => `examples/${name}.yaml`)]

  assert.deepEqual(driven.sort(), [...listExamples().plain, 'sluice.yaml'].sort())
})

for (const [file, drive] of Object.entries(DRIVES)) {
  test(`${file} is good, and responds as it says`, async (t) => {
    const example = await placeExample(t, file, await SERVERS[file]?.(t))
    const { path } = example

    const [checked, site] = await Promise.all([
      runProgram(t, ['check', path]),
      startExample(t, example),
    ])
    assert.match(checked.output, new RegExp(`^${path}: good, \\d+ listeners?, `))
    assert.deepEqual([checked.code, checked.errors], [0, ''])

    await drive(site, t)
  })
}
