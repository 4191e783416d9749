// Issue: "for every server url that is a name: `resolve: all` makes each address a server of its own that comes and goes with the records".
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { ServerReport } from '../../src/observe/reports/health-report.ts'
import { EXPANDED, FOURTH, openExpandedWorld, OTHER, THREE } from '../support/expanded-world.ts'
import type { ExpandedWorld } from '../support/expanded-world.ts'
import { startNamedLoad, type NamedResponse } from '../support/named-load.ts'
import { startProgram, type Program } from '../support/program.ts'
import { createWatch, eventually } from '../support/until.ts'

const [FIRST, SECOND, THIRD] = THREE

test('an address that is replaced under load, and a resolver that is dead, fail no request and touch no other name', async (t) => {
  const world = await openWorld(t)
  const { dns, program } = world
  const failed: NamedResponse[] = []
  const served = new Map<string, number>()
  const watch = createWatch()
  const load = startNamedLoad(program.port, [EXPANDED, OTHER], LOAD, (response) => {
    if (response.status !== 200) failed.push(response)
    if (response.name === EXPANDED) {
      served.set(response.body, (served.get(response.body) ?? 0) + 1)
      watch.changed()
    }
  })
  t.after(load.stop)
  const servedBy = (host: string): Promise<unknown> => {
    const before = served.get(host) ?? 0
    return watch.until(() => (served.get(host) ?? 0) > before + 10, `${host} is used`)
  }
  await Promise.all(THREE.map(servedBy))
  const [other] = await serversOf(program, 'other')

  world.put([FIRST, SECOND, FOURTH])
  await servedBy(FOURTH)
  const isGone = async (): Promise<boolean> =>
    (await serversOf(program, 'web')).every(({ url }) => !url.includes(THIRD))
  await eventually(isGone, 'the third address is gone')
  const thirdBefore = served.get(THIRD)
  await dns.die()
  await program.until(
    () => program.log().find(({ msg }) => /web\.test cannot be/.test(msg)),
    'it fails',
    15_000,
  )
  await Promise.all([FIRST, SECOND, FOURTH].map(servedBy))
  await dns.comeBack()
  dns.setAll('servfail')
  await Promise.all([FIRST, SECOND, FOURTH].map(servedBy))

  await load.stop()
  assert.deepEqual(failed.slice(0, 5), [])
  assert.equal(served.get(THIRD), thirdBefore)
  assert.deepEqual((await serversOf(program, 'other'))[0]?.since, other?.since)
  const web = await serversOf(program, 'web')
  assert.deepEqual(web.map(({ id }) => id).sort(), [`s@${FIRST}`, `s@${SECOND}`, `s@${FOURTH}`])
  assert.equal(web[0]?.resolution?.failing, true)
  assert.match((await program.ask('/api/table')).text, /web\.test cannot be resolved/)
  assert.match(
    (await program.ask('/metrics')).text,
    new RegExp(`sluice_server_[a-z_]+\\{backend="web",server="http://${FIRST}:`),
  )
})

test('a removed address finishes the requests that it has', async (t) => {
  const world = await openWorld(t)
  const { program } = world
  const isSlow = (): boolean => world.waiting.length > 0
  const slow = fetch(`http://127.0.0.1:${program.port}/slow`, { headers: { host: EXPANDED } })
  await eventually(isSlow, 'a server has the request')
  const [held] = world.waiting
  const others = THREE.filter((host) => host !== held?.host)

  world.put(others)
  const isDraining = async (): Promise<boolean> =>
    (await serversOf(program, 'web')).some(
      ({ state, url }) => state === 'draining' && url.includes(held?.host ?? '-'),
    )
  await eventually(isDraining, 'its server drains')
  held?.finish()

  assert.equal(await (await slow).text(), held?.host)
})

test('all addresses at once are replaced without a failed request, also where new servers wait for a health check', async (t) => {
  const health = { path: '/', interval: '1s' }
  const { program, put } = await openWorld(t, {}, { health, sticky: {}, slowStart: '2s' })
  const failed: NamedResponse[] = []
  const seen = new Set<string>()
  const load = startNamedLoad(program.port, [EXPANDED], LOAD, (response) => {
    if (response.status !== 200) failed.push(response)
    seen.add(response.body)
  })
  t.after(load.stop)
  await eventually(() => seen.size === 3, 'all three are used')

  put([FOURTH])
  await eventually(() => seen.has(FOURTH), 'the fourth is used')
  put(THREE)
  seen.clear()
  await eventually(() => seen.size >= 3, 'all three are used again')

  await load.stop()
  assert.deepEqual(failed.slice(0, 5), [])
})

test('a name that does not exist any more keeps its addresses for the hold, then stands for no server, and returns', async (t) => {
  const world = await openWorld(t, { hold: '2s' })
  const { dns, program } = world
  const since = performance.now()

  dns.set(EXPANDED, 'nxdomain')
  await program.until(
    () => program.log().find(({ msg }) => /web\.test cannot be/.test(msg)),
    'it fails',
  )
  assert.equal((await serversOf(program, 'web')).length, 3)
  const isEmpty = async (): Promise<boolean> => (await serversOf(program, 'web')).length === 0
  await eventually(isEmpty, 'there is no server')
  const heldMs = performance.now() - since
  const problems = (await program.ask('/api/table')).text
  world.put(THREE)
  const isBack = async (): Promise<boolean> => (await serversOf(program, 'web')).length === 3

  await eventually(isBack, 'the servers are back')
  assert.ok(heldMs >= 2_000, `${heldMs} ms`)
  assert.match(problems, /web\.test has no address any more and stands for no server/)
  assert.equal((await serversOf(program, 'other')).length, 1)
})

const LOAD = { clients: 8, pauseMs: 1 }

interface World extends ExpandedWorld {
  readonly program: Program
}

async function openWorld(
  t: TestContext,
  resolver: object = {},
  backend: object = {},
): Promise<World> {
  const world = await openExpandedWorld(t)
  const program = await startProgram(t, { workers: 2, ...world.config(resolver, backend) })
  const isExpanded = async (): Promise<boolean> => (await serversOf(program, 'web')).length === 3
  await eventually(isExpanded, 'the name is expanded')
  return { ...world, program }
}

async function serversOf(program: Program, backend: string): Promise<readonly ServerReport[]> {
  const { text } = await program.ask('/api/servers')
  const reports = JSON.parse(text) as readonly ServerReport[]
  return reports.filter((report) => report.backend === backend)
}
