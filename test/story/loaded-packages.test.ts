import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import {
  askAdmin,
  makeFolder,
  spawnProgram,
  startProgram,
  toText,
  type Child,
  type Program,
} from '../support/program.ts'
import { isTerminal, MIDDLEWARES } from '../../src/middleware/catalog.ts'
import { parseMiddleware } from '../../src/schema/middleware.ts'
import { BALANCERS } from '../../src/upstream/balancing/balancer.ts'
import { respondsOk, startHttp2Server } from '../support/http2/server.ts'
import { respondWith, OK, startOrigin } from '../support/origin.ts'
import { LEAST_OPTIONS } from '../support/options.ts'
import { choosePort } from '../support/ports.ts'
import { PATIENCE_MS } from '../support/until.ts'

const HOOK = new URL('../support/note-packages.ts', import.meta.url).href
const MAIN = 0
/** What the main thread of a program with a JSON file may load, and what for. */
const MAIN_PACKAGES: Readonly<Record<string, string>> = {
  zod: 'settings and admission',
  re2js: 'admission: the regular expressions of routes',
  pino: 'the log',
  '@pinojs/redact': 'of pino',
  'atomic-sleep': 'of pino',
  'on-exit-leak-free': 'of pino',
  'pino-std-serializers': 'of pino',
  'quick-format-unescaped': 'of pino',
  'safe-stable-stringify': 'of pino',
  'sonic-boom': 'of pino',
  'thread-stream': 'of pino',
  'prom-client': 'scrapes, after readiness',
  '@opentelemetry/api': 'of prom-client',
  bintrees: 'of prom-client',
  tdigest: 'of prom-client',
}
/** The layouts of other proxies, YAML, and the gateway, which runs in workers. */
const RARELY =
  /\/src\/(?:providers\/layouts\/(?:vulcand|traefik|fabio)|document\/yaml|gateway\/gateway|downstream)\b/
const SERVING = 1
const START_WITHIN_MS = 60_000

test('a program with a file loads no client, and a serving thread next to nothing', async (t) => {
  const { loaded } = await startNoted(t, configOf(9))

  assert.deepEqual(packagesOf(loaded(SERVING)), ['re2js'])
  assert.ok(!loaded(SERVING).has('node:http'), 'no node:http in a serving thread')
  const unexpected = packagesOf(loaded(MAIN)).filter((name) => !(name in MAIN_PACKAGES))
  assert.deepEqual(unexpected, [], 'packages in the main thread')
  const rarely = [...loaded(MAIN)].filter((file) => RARELY.test(file))
  assert.deepEqual(rarely, [], 'files that a program with a JSON file does not need')
})

test('a serving thread compiles every kind of middleware and balancer without a schema', async (t) => {
  const origin = await startOrigin(t, respondWith(OK))
  const servers = { s1: `http://127.0.0.1:${origin.port}` }
  const http2 = await startHttp2Server(t, respondsOk)
  const specs = MIDDLEWARES.map(({ kind }) => {
    const spec = parseMiddleware({ kind, options: LEAST_OPTIONS[kind] })
    assert.ok(spec.ok, `${kind} has no options in LEAST_OPTIONS`)
    return spec.value
  })
  const backends = {
    ...Object.fromEntries(BALANCERS.map(({ name: balance }) => [balance, { balance, servers }])),
    http2: { servers: { s1: `h2c://127.0.0.1:${http2.port}` } },
  }
  const frontends = Object.fromEntries([
    ...specs.map((spec) => {
      const { kind } = spec
      // gRPC needs HTTP/2.
      const by = kind === 'grpcWeb' ? 'http2' : 'round-robin'
      const backend = isTerminal(spec) ? {} : { backend: by }
      return [kind, { route: `Path("/${kind}")`, ...backend, [kind]: LEAST_OPTIONS[kind] }]
    }),
    ...BALANCERS.map(({ name }) => [name, { route: `Path("/${name}")`, backend: name }]),
  ]) as Record<string, unknown>

  const { program, loaded } = await startNoted(t, { ...configOf(9), backends, frontends })

  for (const id of Object.keys(frontends)) {
    const { status } = await askAdmin(program.port, `/${id}`)
    assert.ok(status < 400, `${id}: ${status}`)
  }
  assert.deepEqual(packagesOf(loaded(SERVING)), ['re2js'])
  const schemas = [...loaded(SERVING)].filter((file) =>
    /\/(?:options|schema|document)\//.test(file),
  )
  assert.deepEqual(schemas, [], 'files that only admission needs')
})

test('the first health check brings its client, and the first shared limit that of Redis', async (t) => {
  const [origin, closed] = await Promise.all([startOrigin(t, respondWith(OK)), choosePort()])
  const { program, loaded } = await startNoted(t, configOf(origin.port))
  const redis = { url: `redis://127.0.0.1:${closed}`, onFailure: 'deny' }

  program.write(
    configOf(
      origin.port,
      { health: { path: '/' } },
      { ratelimit: { requests: 1, period: '1h', redis } },
    ),
  )

  // In force: what decides is a Redis that does not answer.
  await answered(
    async () => (await askAdmin(program.port, '/')).status === 503,
    'the limit is in force',
  )
  await answered(
    async () =>
      /^sluice_server_probes_total\{.*success.*\} [1-9]/m.test(
        (await program.ask('/metrics')).text,
      ),
    'the server is probed',
  )
  assert.ok(loaded(MAIN).has('undici') && !loaded(MAIN).has('ioredis'), 'undici in the main thread')
  assert.ok(
    loaded(SERVING).has('ioredis') && !loaded(SERVING).has('undici'),
    'ioredis where it serves',
  )
})

test('a source whose package is missing stops the start with what helps', async (t) => {
  const sources = { reg: { kind: 'etcd', endpoints: ['http://127.0.0.1:9'] } }

  const { code, errors } = await spawnNoted(t, { ...configOf(9), sources }, '@grpc/grpc-js').ended()

  assert.equal(code, 1)
  assert.match(
    errors,
    /^sluice: source "reg" \(etcd\) cannot be opened: cannot load the client of etcd: Cannot find package '@grpc\/grpc-js'; install .*\(npm ci\)$/m,
  )
})

test('a route that needs a missing package is a problem of its own, and the others are in force', async (t) => {
  const origin = await startOrigin(t, respondWith(OK))
  const limit = { requests: 1, period: '1h', redis: { url: 'redis://127.0.0.1:9' } }
  const config = configOf(origin.port)
  const frontends = {
    shop: { route: 'PathPrefix("/")', backend: 'shop' },
    shared: { route: 'Path("/shared")', backend: 'shop', ratelimit: limit },
  }

  const program = spawnNoted(t, { ...config, frontends }, 'ioredis')

  const fault = await program.until(
    () => program.log().find(({ msg }) => msg.startsWith('a fault of Sluice')),
    'the fault is logged',
    START_WITHIN_MS,
  )
  assert.match(JSON.stringify(fault), /cannot load .* through Redis: Cannot find package 'ioredis'/)
  const { ports } = await program.logged('serving')
  const { status } = await askAdmin((ports as { web: number }).web, '/shared')
  assert.equal(status, 200)
})

interface Noted {
  readonly program: Program
  /** What a thread has loaded: packages by name, Node's own modules and the program's files by url. */
  readonly loaded: (thread: number) => ReadonlySet<string>
}

function spawnNoted(t: TestContext, config: object, missing: string): Child {
  const folder = makeFolder(t)
  const path = join(folder, 'sluice.json')
  writeFileSync(path, toText(config))
  const env = { NODE_OPTIONS: `--import=${HOOK}`, LOADED: join(folder, 'loaded'), MISSING: missing }
  return spawnProgram(t, ['serve', '--config', path], env)
}

async function startNoted(t: TestContext, config: object): Promise<Noted> {
  const file = join(makeFolder(t), 'loaded')
  const env = { NODE_OPTIONS: `--import=${HOOK}`, LOADED: file }
  const program = await startProgram(t, config, { env })
  const loaded = (thread: number): ReadonlySet<string> => {
    const lines = readFileSync(file, 'utf8').split('\n')
    const own = lines.filter((line) => line.startsWith(`${thread} `))
    return new Set(own.map((line) => line.slice(line.indexOf(' ') + 1)))
  }
  return { program, loaded }
}

function packagesOf(loaded: ReadonlySet<string>): string[] {
  return [...loaded].filter((name) => !/^(node|file):/.test(name)).sort()
}

function configOf(port: number, backend: object = {}, frontend: object = {}): object {
  return {
    workers: 1,
    listeners: { web: { address: '127.0.0.1:0' } },
    backends: { shop: { servers: { s1: `http://127.0.0.1:${port}` }, ...backend } },
    frontends: { shop: { route: 'PathPrefix("/")', backend: 'shop', ...frontend } },
  }
}

/** Asks again until the program answers so. */
async function answered(look: () => Promise<boolean>, what: string): Promise<void> {
  for (const deadline = performance.now() + PATIENCE_MS; !(await look());) {
    assert.ok(performance.now() < deadline, `${what}: did not happen within ${PATIENCE_MS} ms`)
  }
}
