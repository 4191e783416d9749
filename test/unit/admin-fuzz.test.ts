import assert from 'node:assert/strict'
import { test } from 'node:test'
import { drainEndpoints } from '../../src/admin/objects/drain.ts'
import { objectEndpoints } from '../../src/admin/objects/endpoints.ts'
import { vulcandEndpoints } from '../../src/admin/vulcand/endpoints.ts'
import { bodyCase } from '../fuzz/api-bodies.ts'
import { startObjectsSite } from '../support/objects-api.ts'

/** `npm run fuzz` is for the data path; more of these: SLUICE_FUZZ_BODIES=100000. */
const CASES = Number(process.env['SLUICE_FUZZ_BODIES'] ?? 1500)
const AT_A_TIME = 8

test('mutated bodies are refused with 4xx or stored as valid objects, and never a 5xx', async (t) => {
  const site = await startObjectsSite(t, {
    sendsMutations: true,
    endpoints: (service) => [
      ...objectEndpoints(service),
      ...drainEndpoints(service),
      ...vulcandEndpoints({ service, isInForce: () => false }),
    ],
  })
  const counts = new Map<number, number>()
  const failures: string[] = []

  for (let seed = 0; seed < CASES; seed += AT_A_TIME) {
    const seeds = Array.from({ length: Math.min(AT_A_TIME, CASES - seed) }, (_, at) => seed + at)
    await Promise.all(
      seeds.map(async (one) => {
        const { method, path, body } = bodyCase(one)
        const { status } = await site.send(method, path, body).then(async (answer) => {
          await answer.arrayBuffer()
          return answer
        })
        const kind = Math.floor(status / 100)
        counts.set(kind, (counts.get(kind) ?? 0) + 1)
        if (kind !== 2 && kind !== 4)
          failures.push(`seed ${one}: ${status} ${method} ${path} ${body.slice(0, 200)}`)
      }),
    )
  }

  assert.deepEqual(failures.slice(0, 5), [])
  assert.ok((counts.get(4) ?? 0) > CASES / 2, 'most of them are invalid')
  for (const written of await site.writer.list(null)) {
    assert.equal(written.fault, null)
    assert.deepEqual(site.writer.refuse(written, written.value), [])
  }
  assert.deepEqual(
    site.logged.filter(({ message }) => message === 'the admin could not respond'),
    [],
  )
  t.diagnostic(`answers: ${JSON.stringify(Object.fromEntries(counts))}`)
})
