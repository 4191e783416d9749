// moby/moby#30029: Docker's DNS has a TTL of 10 minutes, and a container that is started again has another address.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EXPANDED, FOURTH, openExpandedWorld } from '../support/expanded-world.ts'
import { startDnsServer } from '../support/dns-server.ts'
import { startNamedLoad } from '../support/named-load.ts'
import { startProgram } from '../support/program.ts'
import { eventually } from '../support/until.ts'

/** Nothing listens there. */
const NOWHERE = '127.0.0.99'

test('a name that moved before its time to live is over is followed as soon as its server fails', async (t) => {
  const world = await openExpandedWorld(t)
  const dns = await startDnsServer(t, { [EXPANDED]: { addresses: [NOWHERE], ttl: 600 } })
  const program = await startProgram(t, {
    ...world.config({ servers: [dns.address] }, { resolve: 'one' }),
    workers: 1,
  })
  const seen = new Set<string>()
  const load = startNamedLoad(
    program.port,
    [EXPANDED],
    { clients: 2, pauseMs: 5 },
    ({ status, body }) => {
      if (status === 200) seen.add(body)
    },
  )
  t.after(load.stop)

  dns.set(EXPANDED, { addresses: [FOURTH], ttl: 600 })

  await eventually(() => seen.has(FOURTH), 'the new address is used')
  assert.deepEqual([...seen], [FOURTH])
})
