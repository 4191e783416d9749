// needs: pebble
/** The ACME client against a real server. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { issue, openAt, prove, startFront } from '../support/acme.ts'
import { startPebble } from '../support/pebble.ts'

test('issues a certificate by http-01, with 40 of 100 nonces refused', async (t) => {
  const front = await startFront(t)
  const authority = await startPebble(t, { httpPort: front.httpPort, badNonces: 40 })
  const opened = await openAt(t, authority)
  const { client } = opened
  await client.register({ email: 'ops@a.example' })

  const order = await client.order({ names: ['a.example', 'b.example'] })
  await prove(order, 'http-01', { ...opened, front, authority })
  const { chain, leaf } = await issue(client, order)

  assert.equal(leaf.subjectAltName, 'DNS:a.example, DNS:b.example')
  assert.equal(chain.match(/BEGIN CERTIFICATE/g)?.length, 2)
  // It asks from several places.
  const hosts = front.asked.map((one) => one.replace(/:.*/, ''))
  assert.deepEqual([...new Set(hosts)].sort(), ['a.example', 'b.example'])
})
