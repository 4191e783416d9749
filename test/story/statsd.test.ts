// Issue 14: statsd by option, by vulcand's names.
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { test } from 'node:test'
import { exchange } from '../support/client.ts'
import { startOrigin } from '../support/origin.ts'
import { startProgram } from '../support/program.ts'
import { get } from '../support/refusal.ts'
import { eventually } from '../support/until.ts'

test('a program with statsd sends what its frontends did', async (t) => {
  const lines = new Set<string>()
  const collector = createSocket('udp4').on('message', (message) => {
    for (const line of String(message).split('\n')) lines.add(line)
  })
  collector.bind(0, '127.0.0.1')
  await once(collector, 'listening')
  t.after(() => collector.close())
  const origin = await startOrigin(t)
  const program = await startProgram(t, {
    statsd: { address: `127.0.0.1:${collector.address().port}`, prefix: 'lb' },
    listeners: { web: { address: '127.0.0.1:0' } },
    backends: { b: { servers: { s: origin.url } } },
    frontends: { shop: { route: 'PathPrefix("/")', backend: 'b' } },
  })

  await exchange(t, program.port, get('/'))

  await eventually(() => lines.has('lb.frontend.shop.reqs:1|g'), 'the gauge of the frontend')
  assert.ok(lines.has('lb.frontend.shop.code.200:1|g'))
  await eventually(
    () => [...lines].some((line) => /^lb\.conns\.127\.0\.0\.1_\d+\.active:\d+\|g$/.test(line)),
    'those of the listener',
  )
})
