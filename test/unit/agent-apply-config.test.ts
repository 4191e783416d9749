import assert from 'node:assert/strict'
import { test } from 'node:test'
import { applyConfig } from '../../src/agent/apply-config.ts'
import type { AgentConfig } from '../../src/agent/spec/agent-spec.ts'

const CONFIG: AgentConfig = {
  ...{ services: [], containers: null, drainMs: 0, stopMs: 0, logLevel: 'info' },
  ...{ heartbeat: null, status: null },
}

test('a configuration whose containers cannot be followed changes nothing', async () => {
  const applied: string[] = []
  const parts = (follow: () => Promise<void>): Parameters<typeof applyConfig>[1] => ({
    agent: { apply: () => void applied.push('services') },
    containers: { follow },
    heartbeat: { follow: () => void applied.push('heartbeat') },
  })

  await assert.rejects(
    applyConfig(
      CONFIG,
      parts(() => Promise.reject(new Error('no client'))),
    ),
    /no client/,
  )
  const before = [...applied]
  await applyConfig(
    CONFIG,
    parts(async () => {}),
  )

  assert.deepEqual([before, applied], [[], ['services', 'heartbeat']])
})
