// needs: etcd, redis-server
// README: "whatever is missing after a backup was put back is held", through a loss of the registry and a restart of Sluice.
import assert from 'node:assert/strict'
import { cpSync, rmSync, truncateSync, writeFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { choosePort } from '../support/ports.ts'
import { makeFolder, startProgram, type Program } from '../support/program.ts'
import { startRedis } from '../support/redis.ts'
import { createStore, put, startRegistry } from '../support/registries.ts'
import { frontendsOf, untilSource, untilTable } from '../support/sources.ts'

interface Restorable {
  readonly kind: string
  readonly source: object
  put(path: string, value: object): Promise<void>
  /** Keeps what it holds now. */
  backUp(): Promise<void>
  /** Is away until `restore`. */
  lose(): Promise<void>
  /** What was kept is put back, and served. */
  restore(): Promise<void>
}

async function openDaemon(t: TestContext, kind: 'etcd' | 'redis'): Promise<Restorable> {
  const registry = await startRegistry(t, kind)
  const { server } = registry
  return {
    kind,
    source: registry.source,
    put: async (path, value) => put(await registry.keys(), path, value),
    ...copyOf(t, server.folder, server),
  }
}

/** Written to by another program, which counts nothing. */
async function openPlainRedis(t: TestContext): Promise<Restorable> {
  const server = await startRedis(t)
  return {
    kind: 'redis',
    source: { kind: 'redis', endpoints: [server.endpoint], prefix: '/sluice' },
    put: async (path, value) => {
      await server.command('SET', `/sluice/${path}`, JSON.stringify(value))
    },
    ...copyOf(t, server.folder, server),
  }
}

function copyOf(
  t: TestContext,
  folder: string,
  server: { kill(): Promise<void>; start(): Promise<void> },
): Pick<Restorable, 'backUp' | 'lose' | 'restore'> {
  const kept = join(makeFolder(t), 'kept')
  const data = join(folder, 'data')
  return {
    async backUp() {
      await server.kill()
      cpSync(data, kept, { recursive: true })
      await server.start()
    },
    lose: () => server.kill(),
    async restore() {
      rmSync(data, { recursive: true })
      cpSync(kept, data, { recursive: true })
      await server.start()
    },
  }
}

function openStore(t: TestContext): Restorable {
  const folder = makeFolder(t)
  const path = join(folder, 'store.db')
  const store = createStore(t, path)
  let kept: Buffer = Buffer.alloc(0)
  return {
    kind: 'store',
    source: store.source,
    put: async (key, value) => put(await store.keys(), key, value),
    async backUp() {
      await (await store.keys()).close()
      kept = readFileSync(path)
    },
    async lose() {
      await (await store.keys()).close()
      truncateSync(path, 5_000)
    },
    restore() {
      for (const suffix of ['-wal', '-shm']) rmSync(path + suffix, { force: true })
      writeFileSync(path, kept)
      return Promise.resolve()
    },
  }
}

const route = (host: string): object => ({ route: `Host("${host}")`, respond: { status: 204 } })

/** Four frontends are kept, a fifth one comes after. */
async function fill(registry: Restorable, until: (id: string) => Promise<void>): Promise<void> {
  for (const id of ['f0', 'f1', 'f2', 'f3'])
    await registry.put(`frontends/${id}/frontend`, route(id))
  await until('f3')
  await registry.backUp()
  await registry.put('frontends/late/frontend', route('late'))
  await until('late')
}

async function assertHeld(program: Program, kind: string): Promise<void> {
  const { held } = await untilSource(
    program,
    kind,
    (one) => one.held !== null,
    'it is held',
    20_000,
  )
  assert.match(
    held?.reason ?? '',
    /^(the source has gone back|the source was started again|it was held before).*: 1 of 5 objects/,
  )
  assert.deepEqual(await frontendsOf(program), ['f0', 'f1', 'f2', 'f3', 'late'])
}

async function configOf(t: TestContext, { kind, source }: Restorable): Promise<object> {
  const listeners = { web: { address: `127.0.0.1:${await choosePort()}` } }
  const sources = { [kind]: { ...source, shrink: { hold: '1h' } } }
  return { workers: 1, data: makeFolder(t), start: '1s', listeners, sources }
}

const KINDS: readonly (readonly [title: string, open: (t: TestContext) => Promise<Restorable>])[] =
  [
    ['etcd', (t) => openDaemon(t, 'etcd')],
    ['Redis', (t) => openDaemon(t, 'redis')],
    ['Redis that another program writes to', openPlainRedis],
    ['a damaged store', (t) => Promise.resolve(openStore(t))],
  ]

for (const [title, open] of KINDS) {
  test(`what is missing after a backup of ${title} was put back while Sluice was away is held`, async (t) => {
    const registry = await open(t)
    const config = await configOf(t, registry)
    const before = await startProgram(t, config)
    await fill(registry, (id) => untilFrontend(before, id))
    before.signal('SIGTERM')
    await before.ended()
    await registry.lose()
    await registry.restore()

    await assertHeld(await startProgram(t, config), registry.kind)
  })

  test(`what is missing after a backup of ${title} was put back is held, also through starts of Sluice`, async (t) => {
    const registry = await open(t)
    const config = await configOf(t, registry)
    const first = await startProgram(t, config)
    await fill(registry, (id) => untilFrontend(first, id))
    await registry.lose()
    await untilSource(first, registry.kind, ({ state }) => state !== 'live', 'it is lost')
    await registry.restore()
    await assertHeld(first, registry.kind)
    // Its revision goes beyond the one that was seen before.
    for (let at = 0; at < 5; at++) await registry.put('frontends/f0/frontend', route('f0'))

    first.signal('SIGTERM')
    await first.ended()
    const second = await startProgram(t, config)
    await assertHeld(second, registry.kind)
    second.signal('SIGTERM')
    await second.ended()

    await assertHeld(await startProgram(t, config), registry.kind)
  })
}

async function untilFrontend(program: Program, id: string): Promise<void> {
  await untilTable(
    program,
    '?kind=frontend',
    ({ objects }) => objects.some((one) => one.id === id),
    `${id} is in force`,
    20_000,
  )
}
