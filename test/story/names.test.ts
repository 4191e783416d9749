// Issue: "One dead DNS name stalls every other named server", and what a resolver that fails must not do to requests.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ServerReport } from '../../src/observe/reports/health-report.ts'
import { startNamedLoad, type NamedResponse } from '../support/named-load.ts'
import { DEAD, LIVE, TTL_S, openNamedWorld } from '../support/named-world.ts'
import { startProgram } from '../support/program.ts'

test('no request to a live name fails while a resolver hangs, lies, flips and dies, and every change is followed', async (t) => {
  const world = await openNamedWorld(t)
  const program = await startProgram(t, { workers: 1, ...world.config })
  const failed: NamedResponse[] = []
  const took: number[] = []
  const load = startNamedLoad(program.port, LIVE, { clients: 4, pauseMs: 1 }, (response) => {
    took.push(response.tookMs)
    if (response.status === 200) world.saw(response.name, response.body)
    else failed.push(response)
  })
  const toDead = startNamedLoad(program.port, DEAD, { clients: 10, pauseMs: 20 }, () => {})
  t.after(async () => {
    await load.stop()
    await toDead.stop()
  })

  await world.trouble()

  await load.stop()
  assert.deepEqual(failed.slice(0, 5), [])
  assert.equal(world.followedMs.length, 15)
  assert.equal(world.lies(), 5)
  // Two more seconds than on a machine at rest; a resolver that is dead would be waited for without end.
  assert.ok(Math.max(...world.followedMs) <= TTL_S * 1000 + 3_000, world.followedMs.join())
  assert.ok(Math.max(...took) < 3_000, `${Math.max(...took)} ms`)
  // What the operator sees of it.
  const { text } = await program.ask('/api/servers')
  const reports = JSON.parse(text) as readonly ServerReport[]
  const resolutionOf = (name: string): ServerReport['resolution'] =>
    reports.find(({ backend }) => backend === name)?.resolution
  for (const name of LIVE) {
    assert.match(resolutionOf(name)?.addresses.join() ?? '', /^127\.0\.0\.[12]$/, name)
    assert.notEqual(resolutionOf(name)?.resolvedAt, null)
    const server = reports.find(({ backend }) => backend === name)
    assert.deepEqual([server?.state, server?.tally.changes.down], ['up', 0], name)
  }
  for (const name of DEAD) {
    assert.deepEqual(resolutionOf(name)?.addresses, [])
    assert.equal(resolutionOf(name)?.failing, true)
    assert.match(resolutionOf(name)?.lastFailure?.reason ?? '', /NXDOMAIN|in time|SERVFAIL|reached/)
  }
  const metrics = await program.ask('/metrics')
  assert.match(metrics.text, /^sluice_dns_names\{state="unresolved"\} 5$/m)
  assert.match(metrics.text, /^sluice_dns_lookups_total\{result="failure"\} [1-9]/m)
  const lines = program.log().filter(({ msg }) => msg.startsWith(`${DEAD[0]} cannot be resolved`))
  assert.equal(lines.length, 1, 'one line for one change of state')
})
