// needs: etcd
// Issue 14: "a write that is acknowledged is in the registry", whatever is killed right behind the acknowledgement.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { type Client, createClient } from '../../src/client/client.ts'
import type { KeyStore } from '../../src/providers/store.ts'
import { startEtcd } from '../support/etcd.ts'
import { openKeys, openStoreKeys } from '../support/keys.ts'
import { makeFolder, type Program, startProgram } from '../support/program.ts'
import { eventually } from '../support/until.ts'

const ROUNDS = 2
/** In flight when it is killed. */
const WRITERS = 4

interface Acknowledged {
  readonly id: string
  readonly priority: number
}

async function start(
  t: TestContext,
  folder: string,
  sources: object,
): Promise<{ program: Program; client: Client }> {
  const config = {
    workers: 1,
    listeners: { web: { address: '127.0.0.1:0' } },
    ...sources,
  }
  const program = await startProgram(t, config, { folder })
  const client = createClient({ baseUrl: `http://127.0.0.1:${program.admin}` })
  t.after(() => client.close())
  return { program, client }
}

/** Writes until `stop`, which is called right behind an acknowledgement; gives the last acknowledged write of each object. */
async function writeUntil(
  client: Client,
  first: number,
  count: number,
  stop: () => void,
): Promise<readonly Acknowledged[]> {
  let acknowledged = 0
  let isStopped = false
  const last = new Map<string, number>()
  const writer = async (id: string): Promise<void> => {
    for (let priority = first; !isStopped; priority++) {
      try {
        await client.objects.put('frontend', id, { route: 'Host("a")', backend: 'b', priority })
      } catch {
        return
      }
      last.set(id, priority)
      acknowledged += 1
      if (acknowledged < count || isStopped) continue
      isStopped = true
      stop()
    }
  }
  await Promise.all(Array.from({ length: WRITERS }, (_, at) => writer(`f${at}`)))
  return [...last].map(([id, priority]) => ({ id, priority }))
}

/** Each object is at the acknowledged version, or at the next one, whose answer was lost. */
async function assertThere(keys: KeyStore, writes: readonly Acknowledged[]): Promise<void> {
  for (const { id, priority } of writes) {
    const key = await keys.get(`frontends/${id}/frontend`)
    const found = JSON.parse(key?.text ?? '{}') as { priority?: number }
    assert.ok(
      found.priority === priority || found.priority === priority + 1,
      `${id} was acknowledged at ${priority}, and is at ${found.priority}`,
    )
  }
}

test('the embedded store has every acknowledged write after Sluice was killed', async (t) => {
  const folder = makeFolder(t)
  for (let round = 0; round < ROUNDS; round++) {
    const { program, client } = await start(t, folder, {})

    const writes = await writeUntil(client, round * 1000, 10 + round * 7, () =>
      program.signal('SIGKILL'),
    )
    await program.ended()
    client.close()

    const keys = await openStoreKeys(join(folder, 'data', 'store.db'))
    await assertThere(keys, writes)
    await keys.close()
    assert.ok(writes.length > 0)
  }
})

test('etcd has every acknowledged write after Sluice or etcd was killed', async (t) => {
  const etcd = await startEtcd(t)
  const folder = makeFolder(t)
  const sources = { sources: { etcd: { endpoints: [etcd.endpoint], prefix: '/acknowledged' } } }
  const { program, client } = await start(t, folder, sources)
  const openAll = (): Promise<KeyStore> => openKeys('etcd', etcd.endpoint, '/acknowledged')

  for (let round = 0; round < ROUNDS; round++) {
    const killed: Promise<void>[] = []
    const writes = await writeUntil(client, round * 1000, 10 + round * 7, () => {
      killed.push(etcd.kill())
    })
    await Promise.all(killed)
    await etcd.start()
    const keys = await openAll()
    await assertThere(keys, writes)
    await keys.close()
    // And the program writes to it again.
    await eventually(
      () =>
        client.objects.put('backend', 'b', {}).then(
          () => true,
          () => false,
        ),
      'a write after the restart',
    )
  }

  const writes = await writeUntil(client, 9000, 10, () => program.signal('SIGKILL'))
  await program.ended()
  const keys = await openAll()
  t.after(() => keys.close())
  await assertThere(keys, writes)
})
