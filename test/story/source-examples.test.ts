// needs: etcd, etcdctl, redis-server, redis-cli, consul
// Issue: "config/examples for each source, driven by tests". The commands in an example's comment are run as they stand
// there, against real registries.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { xsalsa20poly1305 } from '@noble/ciphers/salsa.js'
import { consulCommand, startConsul, type Consul } from '../support/consul.ts'
import { startDnsServer } from '../support/dns-server.ts'
import { ROOT } from '../support/docs.ts'
import { startEtcd, type Etcd } from '../support/etcd.ts'
import {
  from,
  untilFrom,
  listExamples,
  overTls,
  placeExample,
  readExample,
  startExample,
  type Example,
  type Site,
} from '../support/example.ts'
import { startDocument } from '../support/http-document.ts'
import { startFakeMarathon } from '../support/fake-marathon.ts'
import { createApp, type Json } from '../support/marathon-apps.ts'
import { value } from '../support/message.ts'
import { makeFolder, runProgram } from '../support/program.ts'
import { startRedis, type RedisServer } from '../support/redis.ts'
import { reportOf, tableOf, untilTable } from '../support/sources.ts'

interface Drive {
  /** That are not in the file. */
  readonly ports?: readonly number[]
  /** What is there before its commands are run. */
  readonly before?: (example: Example, etcd: Etcd | null) => Promise<void> | void
  readonly drive: (site: Site, etcd: Etcd | null, t: TestContext) => Promise<void>
}

const VOTE = 'vote.localhost'
const PASSWORD = 'not a real one'

const DRIVES: Readonly<Record<string, Drive>> = {
  'examples/etcd.yaml': {
    async drive(site, etcd) {
      await untilFrom(site, VOTE, ['5001', '5002'])
      assert.equal(value(await site.get(VOTE, '/'), 'x-seen-site'), 'vote')
      await revokeLeases(etcd)
      await untilTable(
        site.program,
        '?kind=server',
        ({ objects }) => objects.length === 1,
        'the server is gone with its lease',
      )
      await untilFrom(site, VOTE, ['5001'])
    },
  },

  'examples/vulcand.yaml': {
    ports: [8080, 8443, 5001, 5002, 5003],
    before: putVulcand,
    async drive(site, _etcd, t) {
      await untilFrom(site, VOTE, ['5001', '5002'])
      assert.equal(from(await site.get(VOTE, '/b')), '5003')
      assert.match(from(await overTls(t, site, VOTE)), /^500[12]$/)
      assert.equal((await site.get('other.localhost', '/')).status, 404)
      const { setAside } = await tableOf(site.program)
      assert.deepEqual(
        setAside.map(({ kind, id, key }) => [kind, id, key]),
        [],
      )
    },
  },

  'examples/traefik-redis.yaml': {
    async drive(site) {
      await untilFrom(site, VOTE, ['5001', '5002'])
      assert.equal((await site.get(VOTE, '/admin')).status, 503)
    },
  },

  'examples/redis.yaml': {
    before({ path }) {
      writeFileSync(join(dirname(path), 'redis.password'), `${PASSWORD}\n`)
    },
    async drive(site) {
      await untilFrom(site, VOTE, ['5001', '5002'])
      assert.ok(!site.program.output().includes(PASSWORD))
    },
  },

  'examples/consul.yaml': {
    ports: [5001, 5002, 5003],
    async drive(site) {
      await untilFrom(site, VOTE, ['5001', '5002'])
      assert.equal(from(await site.get('api.localhost', '/')), '5003')
    },
  },

  'examples/consul-kv.yaml': {
    async drive(site) {
      await untilFrom(site, VOTE, ['5001', '5002'])
    },
  },

  'examples/fabio.yaml': {
    ports: [8080, 5001, 5002],
    async drive(site) {
      await untilFrom(site, VOTE, ['5001', '5002'])
      const moved = await site.get('old.localhost', '/a?b')
      assert.deepEqual(
        [moved.status, value(moved, 'location')],
        [301, 'https://vote.localhost/a?b'],
      )
      const lost = await site.get('other.localhost', '/')
      assert.deepEqual([lost.status, lost.body.toString()], [404, '<h1>Nothing here.</h1>'])
    },
  },

  'examples/directory.yaml': {
    async drive(site) {
      assert.equal(from(await site.get(VOTE, '/')), '5001')
      assert.equal(from(await site.get('shop.localhost', '/')), '5002')
      const { objects } = await tableOf(site.program, '?kind=backend&id=vote')
      assert.match(JSON.stringify(objects), /"labels":\{"team":"vote"\}/)
    },
  },

  'examples/certificates.yaml': {
    async drive(site) {
      assert.equal(from(await site.get(VOTE, '/')), '5001')
      assert.match((await site.program.ask('/api/providers')).text, /"name":"tls"/)
    },
  },

  'examples/store.yaml': {
    async drive(site) {
      assert.equal(from(await site.get(VOTE, '/')), '5001')
    },
  },

  'examples/several-sources.yaml': {
    async drive(site) {
      await untilFrom(site, VOTE, ['5001', '5002'])
      await untilFrom(site, 'beta.localhost', ['5003'])
      await untilFrom(site, 'result.localhost', ['5003'])
      assert.equal((await reportOf(site.program, 'redis')).conflicts, 1)
    },
  },

  'examples/http.yaml': {
    ports: [8080, 5001, 5002],
    async drive(site) {
      await untilFrom(site, VOTE, ['5001', '5002'])
    },
  },

  'examples/dns.yaml': {
    ports: [5001],
    async drive(site) {
      await untilFrom(site, VOTE, ['5001'])
      await untilFrom(site, 'result.localhost', ['5002'])
    },
  },

  'examples/marathon.yaml': {
    ports: [5001, 5002],
    async drive(site) {
      await untilFrom(site, VOTE, ['5001', '5002'])
    },
  },
}

/** In files of their own, for what they need: docker-example.test.ts and so on. */
const ELSEWHERE = [
  ...['examples/docker.yaml', 'examples/swarm.yaml', 'examples/swarm-standalone.yaml'],
  ...['examples/zookeeper.yaml', 'examples/zookeeper-nerve.yaml', 'examples/synapse.yaml'],
  'examples/acme.yaml',
]

test('every example with sources is driven', () => {
  assert.deepEqual([...Object.keys(DRIVES), ...ELSEWHERE].sort(), listExamples().withSources)
})

/** What the image serves in front of an engine; `npm run test:docker` drives them. */
for (const file of ['docker.yaml', 'swarm.yaml']) {
  test(`the image's ${file} is good`, async (t) => {
    const path = join(ROOT, 'config', file)

    const checked = await runProgram(t, ['check', path])

    assert.equal(checked.output, `${path}: good, 1 listener, 0 backends, 0 frontends\n`)
  })
}

for (const [file, { ports, before, drive }] of Object.entries(DRIVES)) {
  test(`${file} is good, its commands work, and it answers as it says`, async (t) => {
    const written = readExample(file)
    const password = written.includes('redis.password') ? { password: PASSWORD } : {}
    const [etcd, redis, consul] = await Promise.all([
      written.includes(':2379') ? startEtcd(t) : null,
      written.includes(':6379') ? startRedis(t, password) : null,
      written.includes(':8500') ? startConsul(t) : null,
    ])
    const registries = new Map<number, number>()
    if (etcd !== null) registries.set(2379, etcd.port)
    if (redis !== null) registries.set(6379, redis.port)
    if (consul !== null) registries.set(8500, consul.port)
    const marathon = written.includes(':8088') ? await startFakeMarathon(t) : null
    if (marathon !== null) registries.set(8088, Number(marathon.endpoints[0]?.split(':')[1]))
    const dns = written.includes(':8600') ? await startDnsServer(t) : null
    if (dns !== null) registries.set(8600, Number(dns.address.split(':')[1]))
    const document = written.includes(':8800') ? await startDocument(t, '/sluice.yaml') : null
    if (document !== null) registries.set(8800, Number(new URL(document.url).port))
    const example = await placeExample(t, file, registries, ports)
    const env = variablesOf(example)
    marathon?.put(voteApp([example.port(5001), example.port(5002)]))
    dns?.set('_http._tcp.vote.service.consul', {
      services: [{ port: example.port(5001), target: 'one.node.consul' }],
      additional: { 'one.node.consul': ['127.0.0.1'] },
    })
    dns?.set('result.service.consul', { addresses: ['127.0.0.1'] })
    document?.set(commentOf(example), 'application/yaml')
    await before?.(example, etcd)

    await runCommands(t, example, { etcd, redis, consul })
    const [checked, site] = await Promise.all([
      runProgram(t, ['check', example.path], env),
      startExample(t, example, env),
    ])

    assert.match(checked.output, new RegExp(`^${example.path}: good, \\d+ listeners?, `))
    assert.deepEqual([checked.code, checked.errors], [0, ''])
    await drive(site, etcd, t)
  })
}

/** With a task on each of these ports. */
function voteApp(ports: readonly number[]): Json {
  return createApp({
    id: '/vote',
    labels: { HAPROXY_GROUP: 'external', HAPROXY_0_VHOST: VOTE },
    tasks: ports.map((port) => ({ id: `vote.${port}`, host: '127.0.0.1', ports: [port] })),
  })
}

/** What is written three columns into the comment. */
function commentOf({ text, withOwnPorts }: Example): string {
  const lines = withOwnPorts(text).matchAll(/^# {3}(.*)$/gm)
  return [...lines].map(([, line]) => line).join('\n')
}

/** `NAME=value` before `sluice serve` in the comment. */
function variablesOf({ text, withOwnPorts }: Example): Readonly<Record<string, string>> {
  const [, words = ''] = /^# +((?:[A-Z_]+=\S+ )+)sluice serve/m.exec(withOwnPorts(text)) ?? []
  const found = [...words.matchAll(/([A-Z_]+)=(\S+)/g)]
  return Object.fromEntries(found.map(([, name = '', text = '']) => [name, text]))
}

interface Registries {
  readonly etcd: Etcd | null
  readonly redis: RedisServer | null
  readonly consul: Consul | null
}

const COMMAND = /^# {3}((?:etcdctl|redis-cli|consul|curl|sluice (?:put|delete)|lease=).*)$/gm

async function runCommands(
  t: TestContext,
  { path, text, withOwnPorts }: Example,
  { etcd, redis, consul }: Registries,
): Promise<void> {
  const commands = [...withOwnPorts(text).matchAll(COMMAND)].map(([, command]) => command)
  const inherited = process.env['PATH'] ?? ''
  const shims = makeFolder(t)
  addCommand(shims, 'redis-cli', `PATH='${inherited}' && exec redis-cli -e -p ${redis?.port} "$@"`)
  if (consul !== null) addCommand(shims, 'consul', `exec '${consulCommand()}' "$@"`)
  addCommand(shims, 'sluice', `exec '${process.execPath}' '${MAIN}' "$@"`)
  const env = {
    PATH: `${shims}:${inherited}`,
    NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'],
    ETCDCTL_API: '3',
    ETCDCTL_ENDPOINTS: etcd?.endpoint ?? '',
    CONSUL_HTTP_ADDR: consul?.endpoint ?? '',
    REDISCLI_AUTH: text.includes('redis.password') ? PASSWORD : '',
  }
  await promisify(execFile)('sh', ['-e', '-c', commands.join('\n')], { env, cwd: dirname(path) })
}

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

function addCommand(folder: string, name: string, line: string): void {
  const path = join(folder, name)
  writeFileSync(path, `#!/bin/sh\n${line}\n`)
  chmodSync(path, 0o700)
}

async function revokeLeases(etcd: Etcd | null): Promise<void> {
  const { leases = [] } = (await etcd?.call('/v3/lease/leases', {})) ?? {}
  assert.equal((leases as unknown[]).length, 1)
  for (const { ID } of leases as { ID: string }[]) await etcd?.call('/v3/lease/revoke', { ID })
}

/** As vulcand and vctl write them. */
async function putVulcand(example: Example, etcd: Etcd | null): Promise<void> {
  const { cert, key } = example.authority.issue(VOTE)
  const sealKey = variablesOf(example)['SEAL_KEY'] ?? ''
  const listener = (protocol: string, port: number): object => ({
    Protocol: protocol,
    Address: { Network: 'tcp', Address: `127.0.0.1:${port}` },
  })
  const server = (written: number): object => ({ URL: `http://127.0.0.1:${example.port(written)}` })
  const objects: Readonly<Record<string, object>> = {
    'listeners/web': { Id: 'web', ...listener('http', example.port(8080)) },
    'listeners/secure': { Id: 'secure', ...listener('https', example.port(8443)) },
    [`hosts/${VOTE}/host`]: {
      Name: VOTE,
      Settings: { Default: false, KeyPair: seal(cert, key, sealKey) },
    },
    'frontends/f1/frontend': {
      Id: 'f1',
      Route: `Host("${VOTE}")`,
      Type: 'http',
      BackendId: 'b1',
      Settings: { PassHostHeader: true },
    },
    'frontends/f1/middlewares/limit': {
      Id: 'limit',
      Priority: 1,
      Type: 'ratelimit',
      Middleware: { PeriodSeconds: 1, Burst: 300, Variable: 'client.ip', Requests: 100 },
    },
    'frontends/f1/middlewares/trace': {
      Id: 'trace',
      Priority: 2,
      Type: 'trace',
      Middleware: { Addr: 'syslog://127.0.0.1:514' },
    },
    'backends/b1/backend': { Id: 'b1', Type: 'http', Settings: { Timeouts: { Dial: '5s' } } },
    'backends/b1/servers/s1': server(5001),
    'backends/b1/servers/s2': server(5002),
    // A frontend may come before its backend, and b10 is no part of b1.
    'frontends/f2/frontend': {
      Id: 'f2',
      Route: `Host("${VOTE}") && Path("/b")`,
      Type: 'http',
      BackendId: 'b10',
    },
    'backends/b10/backend': { Id: 'b10', Type: 'http' },
    'backends/b10/servers/s1': server(5003),
  }
  for (const [path, object] of Object.entries(objects)) {
    await etcd?.put(`/vulcand/${path}`, JSON.stringify(object))
  }
}

function seal(cert: string, key: string, sealKey: string): string {
  const pair = { Key: toBase64(key), Cert: toBase64(cert) }
  const nonce = randomBytes(24)
  const sealed = xsalsa20poly1305(Buffer.from(sealKey, 'hex'), nonce).encrypt(
    Buffer.from(JSON.stringify(pair)),
  )
  const value = { Val: toBase64(sealed), Nonce: toBase64(nonce) }
  return toBase64(JSON.stringify({ Encryption: 'secretbox.v1', Value: value }))
}

function toBase64(bytes: string | Uint8Array): string {
  return Buffer.from(bytes as string).toString('base64')
}
