import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { RegistrarListener, RegistrationState } from '../../src/agent/registrar/registrar.ts'
import {
  createSharedRegistrar,
  type SharedRegistrar,
} from '../../src/agent/watch/shared-registrar.ts'
import { FAKE_SPEC } from '../support/fake-registrar.ts'
import { registration } from '../support/registrars.ts'
import { turn } from '../support/until.ts'

const MISSING: RegistrationState = {
  ...{ status: 'missing', reason: 'it was deleted', isRefused: false },
}
const REFUSED: RegistrationState = {
  ...{ status: 'missing', reason: 'no permission', isRefused: true },
}
const REPLACED: RegistrationState = { status: 'replaced', reason: 'another process' }

interface Stage {
  readonly shared: SharedRegistrar
  readonly calls: readonly string[]
  /** Of the client that is open. */
  readonly listener: () => RegistrarListener
  /** A minute passes. */
  pass(): Promise<void>
}

async function start(t: TestContext): Promise<Stage> {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const calls: string[] = []
  const listeners: RegistrarListener[] = []
  let ms = 0
  const shared = createSharedRegistrar({
    spec: FAKE_SPEC,
    async open(_spec, listener) {
      listeners.push(listener)
      calls.push('open')
      return {
        ...{ place: 'a fake', ttlMs: 10_000, refuse: () => null },
        put: ({ id }, mode) => void calls.push(`put ${id} ${mode ?? 'overwrite'}`),
        remove: async ({ id }) => void calls.push(`remove ${id}`),
        close: async () => void calls.push('close'),
        abandon: async () => void calls.push('abandon'),
      }
    },
    log: { debug() {}, info() {}, warn() {}, error() {} },
    now: () => ms,
  })
  await turn()
  return {
    ...{ shared, calls },
    listener() {
      const listener = listeners.at(-1)
      assert.ok(listener !== undefined)
      return listener
    },
    async pass() {
      ms += 60_000
      t.mock.timers.tick(5_000)
      await turn()
    },
  }
}

for (const [state, times, why] of [
  [MISSING, 1, 'that is missing'],
  [REFUSED, 0, 'that the registry refuses'],
  [REPLACED, 0, 'that another process has replaced'],
] as const) {
  test(`a registration ${why} for long has the client opened ${times} times anew`, async (t) => {
    const { shared, calls, listener, pass } = await start(t)
    shared.want({ registration: registration(), reopenMs: 30_000, onState: () => {} })
    listener().onRegistration(registration(), state)

    await pass()

    assert.equal(calls.filter((call) => call === 'open').length, 1 + times)
    await shared.close()
  })
}

test('a client that is opened anew leaves what is registered, also by another process', async (t) => {
  const { shared, calls, listener, pass } = await start(t)
  for (const id of ['lost', 'kept', 'taken'])
    shared.want({ registration: registration({ id }), reopenMs: 30_000, onState: () => {} })
  listener().onRegistration(registration({ id: 'lost' }), MISSING)
  listener().onRegistration(registration({ id: 'kept' }), { status: 'registered' })
  listener().onRegistration(registration({ id: 'taken' }), REPLACED)

  await pass()

  assert.deepEqual(calls.slice(calls.indexOf('abandon')), [
    'abandon',
    'open',
    'put lost overwrite',
    'put kept overwrite',
    'put taken unless foreign',
  ])
  await shared.close()
})
