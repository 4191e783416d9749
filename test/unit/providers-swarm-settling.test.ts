import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SwarmService, SwarmTask } from '../../src/providers/swarm/api.ts'
import { createSettling, type Settling } from '../../src/providers/swarm/settling.ts'

function service(replicas: number | null, more: Partial<SwarmService> = {}): SwarmService {
  const names = { id: 's', name: 'web', labels: new Map<string, string>(), createdAt: 0 }
  return { ...names, version: 1, replicas, isUpdating: false, ports: [], ...more }
}

function tasks(...states: readonly string[]): readonly SwarmTask[] {
  return states.map((state, index) => ({
    ...{ id: `t${index}`, version: 1, serviceId: 's', slot: index + 1, nodeId: 'n' },
    ...{ state, desiredState: 'running', containerId: null, networks: [], isOnHost: false },
    ports: [],
  }))
}

/** Reads as a provider does from `now` on; returns the times of the reads until it is settled, or `until`. */
function readsFrom(
  settling: Settling,
  now: number,
  until: number,
  look: (now: number) => [SwarmService | null, readonly SwarmTask[]],
): readonly number[] {
  const times: number[] = []
  for (let at = now; ;) {
    const [service, tasks] = look(at)
    settling.read('s', service, tasks, at)
    const next = settling.next()
    if (next === null) return times
    settling.polled()
    at += next.afterMs
    if (at > until) return times
    times.push(at)
  }
}

test('tasks are read again after 0.2, 0.4, 0.8 and then each second, until all run', () => {
  const settling = createSettling()
  settling.hinted('s', 0)

  const times = readsFrom(settling, 0, 10_000, () => [service(2), tasks('running', 'starting')])

  assert.deepEqual(times.slice(0, 5), [200, 600, 1400, 2400, 3400])
})

test('each change of a task begins anew', () => {
  const settling = createSettling()
  settling.hinted('s', 0)

  const times = readsFrom(settling, 0, 4_000, (now) => [
    service(2),
    tasks('running', now < 1_400 ? 'starting' : 'running'),
  ])

  assert.deepEqual(times, [200, 600, 1400, 1600, 2000, 2800, 3800])
})

test('tasks that are as wanted, and no other sign of a change, end it', () => {
  const settling = createSettling()
  settling.hinted('s', 0)

  const times = readsFrom(settling, 0, 60_000, () => [service(1), tasks('running')])

  assert.ok((times.at(-1) ?? 0) < 4_000)
  assert.equal(settling.next(), null)
})

test('an update goes on although all tasks run', () => {
  const settling = createSettling()
  settling.hinted('s', 0)

  const updating = service(1, { isUpdating: true })
  const times = readsFrom(settling, 0, 20_000, () => [updating, tasks('running')])

  assert.ok(times.length > 15)
})

test('tasks that never become as wanted are left to the periodic read after a minute', () => {
  const settling = createSettling()
  settling.hinted('s', 0)

  const times = readsFrom(settling, 0, 600_000, () => [service(2), tasks('running')])

  const last = times.at(-1) ?? 0
  assert.ok(last >= 60_000 && last < 62_000)
})

test('a service that was removed is not read again', () => {
  const settling = createSettling()
  settling.hinted('s', 0)

  settling.read('s', null, [], 10)

  assert.equal(settling.next(), null)
})

test('services that nothing happens to are not read again', () => {
  const settling = createSettling()

  const times = readsFrom(settling, 0, 60_000, () => [service(1), tasks('running')])

  assert.ok(times.every((at) => at < 4_000))
})
