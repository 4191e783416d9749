// Holds and every other wait of the control plane are on a clock that cannot be set; people read dates.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { openSource, type Source } from '../../src/control/sources/source.ts'
import type { Declaration, DeclaredObject, Provider } from '../../src/providers/provider.ts'
import { createWatch, eventually } from '../support/until.ts'

const HOUR_MS = 3_600_000

function frontends(...ids: readonly string[]): DeclaredObject[] {
  return ids.map((id) => ({ kind: 'frontend', id, value: {}, key: id }))
}

for (const [direction, stepMs] of [
  ['ahead', HOUR_MS],
  ['back', -HOUR_MS],
] as const) {
  test(`a hold lasts as long as it says when the date is set ${direction}`, async (t) => {
    let now = 5_000
    let date = Date.UTC(2026, 0, 1)
    const watch = createWatch()
    const waiting: Declaration[] = []
    const provider: Provider = {
      name: 'etcd',
      async *watch(signal) {
        while (!signal.aborted) {
          yield await watch.until(() => waiting.shift(), 'a list', Infinity)
        }
      },
      reload() {},
    }
    const source: Source = openSource(
      {
        provider,
        kind: 'etcd',
        required: false,
        shrink: { holdMs: 60_000, share: 0.5, allowEmpty: false },
        lastGood: null,
      },
      {
        now: () => now,
        date: () => date,
        random: () => 0,
        sleep: () => new Promise(() => {}),
        log: { debug() {}, info() {}, warn() {}, error() {} },
        written: () => [],
      },
      {
        onChange() {},
        onStatusChange() {},
        onLost() {},
        onRecovered() {},
        onHeld() {},
        onReleased() {},
      },
    )
    let lists = 0
    const list = async (...ids: readonly string[]): Promise<void> => {
      const revision = String(++lists)
      waiting.push({
        readable: true,
        revision,
        objects: frontends(...ids),
        changes: null,
        listed: 'asked',
        problems: [],
        changedAt: now,
      })
      watch.changed()
      await eventually(() => source.revision() === revision, 'the list is taken')
    }
    const report = (): ReturnType<Source['report']> => source.report({ setAside: 0, conflicts: 0 })
    source.start()
    t.after(() => {
      // Its watch waits for a list that would never come.
      void source.stop()
    })

    await list('a', 'b', 'c', 'd')
    await list('a')
    const held = report().held
    date += stepMs
    now += 1_000
    await list('a')
    const afterStep = report()
    now += 60_000
    await list('a')

    assert.equal(held?.until, Date.UTC(2026, 0, 1) + 60_000)
    assert.equal(afterStep.held?.until, date + 59_000)
    assert.equal(afterStep.objects, 4)
    assert.equal(afterStep.lastSyncAt, date)
    assert.equal(report().held, null)
    assert.equal(report().objects, 1)
  })
}

// The date is for what people read, and for what outlives the process.
const DATED: ReadonlySet<string> = new Set([
  'control/review/check-document.ts',
  'control/review/check-source.ts',
  'control/control.ts',
  'control/sources/last-good.ts',
  'providers/embedded/embedded-provider.ts',
  'providers/embedded/database.ts',
  'providers/embedded/embedded-key-store.ts',
  'providers/etcd/session.ts',
  // Marathon says by its own date when a task has started.
  'providers/marathon/translator.ts',
  // What a service had is remembered over restarts.
  'providers/synapse/synapse-provider.ts',
])

test('nothing else of the control plane and its sources reads the date', () => {
  const root = fileURLToPath(new URL('../../src/', import.meta.url))

  const dated = ['control', 'providers'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .map((name) => `${folder}/${name.replaceAll('\\', '/')}`)
      .filter((name) => name.endsWith('.ts'))
      .filter((name) => readFileSync(join(root, name), 'utf8').includes('Date.now')),
  )

  assert.deepEqual(
    dated.filter((name) => !DATED.has(name)),
    [],
  )
})
