import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RegistrarListener, RegistrationState } from '../../src/agent/registrar/registrar.ts'
import { createSharedRegistrar } from '../../src/agent/watch/shared-registrar.ts'
import { FAKE_SPEC } from '../support/fake-registrar.ts'
import { registration } from '../support/registrars.ts'
import { turn } from '../support/until.ts'

const MISSING: RegistrationState = { is: 'missing', reason: 'it was deleted' }
const REPLACED: RegistrationState = { is: 'replaced', reason: 'another process' }

for (const [state, opened] of [
  [MISSING, 2],
  [REPLACED, 1],
] as const) {
  test(`a registration that is ${state.is} for long has the client opened ${opened - 1} times anew`, async (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] })
    const listeners: RegistrarListener[] = []
    let ms = 0
    const shared = createSharedRegistrar({
      spec: FAKE_SPEC,
      async open(_spec, listener) {
        listeners.push(listener)
        return {
          ...{ place: 'a fake', ttlMs: 10_000, refuse: () => null, put: () => {} },
          ...{ remove: async () => {}, close: async () => {} },
        }
      },
      log: { debug() {}, info() {}, warn() {}, error() {} },
      now: () => ms,
    })
    await turn()
    shared.want({ registration: registration(), reopenMs: 30_000, onState: () => {} })
    listeners[0]?.onRegistration(registration(), state)

    ms = 60_000
    t.mock.timers.tick(5_000)
    await turn()

    assert.equal(listeners.length, opened)
    await shared.close()
  })
}
