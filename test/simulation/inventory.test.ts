/**
 * The inventory against a source that is cut, wiped, emptied, halved, restored and flaps, for some hundred seeds. What is
 * allowed to be missing, or to be there still, is worked out here from what the source has said, without its code:
 *
 *   - what the source declares is in force, unless it is a server that waits while its backend has another one
 *   - what it declares no more is in force only as long as it is held
 *   - nothing goes by lists alone that was much at once, or anything where the source has gone back, unless a list after
 *     the time still lacked it
 *   - a few deletes on a live stream are accepted at once
 *   - the names that are answered are what is different
 *   - once the world has been quiet for long, the inventory is the source
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createInventory } from '../../src/control/sources/inventory.ts'
import type { ObjectKind, ObjectName } from '../../src/model/names.ts'
import type { DeclaredObject } from '../../src/providers/provider.ts'
import { createChance } from '../fuzz/random.ts'
import type { Chance } from '../fuzz/random.ts'
import { changesOf, declared, listOf } from '../support/source-objects.ts'

const SEEDS = 400
const STEPS = 120
const HOLD_MS = 10_000
const LONGEST_WAIT_MS = 30_000
const KINDS: readonly ObjectKind[] = ['backend', 'server', 'frontend', 'middleware']

type Objects = Map<string, DeclaredObject>

for (let part = 0; part < 4; part++) {
  test(`is what the source declares, whatever happens to it (part ${part + 1} of 4)`, () => {
    for (let seed = part; seed < SEEDS; seed += 4) {
      try {
        simulate(createChance(seed))
      } catch (cause) {
        throw new Error(`seed ${seed}`, { cause })
      }
    }
  })
}

function simulate(chance: Chance): void {
  const world = createWorld(chance)
  for (let step = 0; step < STEPS; step++) {
    world.pass(chance.pick([1, 50, 400, 3000, 12_000, 70_000]))
    const happen = chance.pick(world.happenings)
    happen()
    world.pass(0)
  }
  world.rest()
}

function createWorld(chance: Chance) {
  const inventory = createInventory({ shrink: { holdMs: HOLD_MS, share: 0.5, allowEmpty: false } })
  let now = 1_000_000
  let isConnected = true
  /** The objects of the registry. */
  const registry: Objects = new Map()
  /** As it was told. */
  let told: Objects = new Map()
  /** Since when a list or a burst lacks what was told before. */
  const missingSince = new Map<string, number>()
  const deletedAt = new Map<string, number>()
  const enteredWaitAt = new Map<string, number>()
  let lastBackup: Objects = new Map()

  // ---- what the source says

  function list(reason = 'reconcile'): void {
    const before = told
    const accepted = snapshot()
    told = new Map(registry)
    const lost = [...before.keys()].filter((name) => !told.has(name))
    // Of a source that has gone back, or was started again, nothing that is missing is accepted as removed.
    const isMuch = lost.length > 0 && (lost.length >= before.size / 2 || reason !== 'reconcile')
    for (const name of told.keys()) {
      missingSince.delete(name)
      deletedAt.delete(name)
    }
    const mayGo = [...missingSince].filter(([, since]) => now - since >= HOLD_MS)
    for (const name of lost)
      if (isMuch || isEmptied(name, before, accepted)) missingSince.set(name, now)
    checkedTake(() => inventory.take(listOf(told.values(), reason), now))

    const after = snapshot()
    for (const name of accepted.keys()) {
      if (after.has(name)) continue
      const isConfirmed = mayGo.some(([one]) => one === name)
      assert.ok(isConfirmed || !missingSince.has(name), `${name} went by one list`)
    }
    for (const [name] of mayGo) {
      assert.ok(!after.has(name), `${name} stays after a second list`)
      missingSince.delete(name)
    }
    for (const [name, object] of accepted) {
      const kept = after.get(name)
      if (!name.startsWith('backend ') || kept === undefined || inlineCount(object) === 0) continue
      const isHalf = inlineCount(kept) === 0 && !hasServerKeys(object.id, told)
      if (isHalf) assert.ok(now - (strippedSince.get(name) ?? now) >= HOLD_MS, `${name} emptied`)
    }
    noteStripped()
  }

  /** Backends whose servers, inside them, are gone by a list only. */
  const strippedSince = new Map<string, number>()

  function noteStripped(): void {
    const accepted = snapshot()
    for (const [name, object] of accepted) {
      const source = told.get(name)
      const isStripped =
        inlineCount(object) > 0 && (source === undefined || inlineCount(source) === 0)
      if (!isStripped) strippedSince.delete(name)
      else if (!strippedSince.has(name)) strippedSince.set(name, missingSince.get(name) ?? now)
    }
    for (const name of strippedSince.keys()) if (!accepted.has(name)) strippedSince.delete(name)
  }

  function isEmptied(name: string, before: Objects, accepted: Objects): boolean {
    const object = before.get(name)
    if (object?.kind !== 'server') return false
    const owner = told.get(`backend ${ownerOf(object.id)}`)
    if (hasServerKeys(ownerOf(object.id), told)) return false
    // One that only its servers ever declared, or one that is declared without any.
    return owner === undefined
      ? !accepted.has(`backend ${ownerOf(object.id)}`)
      : inlineCount(owner) === 0
  }

  /** Reports what is different in the registry, one by one. */
  function tell(): void {
    const upserts = [...registry.values()].filter((one) => told.get(nameOf(one)) !== one)
    const deletes = [...told.values()].filter((one) => !registry.has(nameOf(one)))
    if (upserts.length + deletes.length === 0) return
    for (const [name, at] of deletedAt) if (now - at >= 1000) deletedAt.delete(name)
    const returned = upserts.filter((one) => deletedAt.has(nameOf(one)))
    // A server that waits is not in force: that it goes takes nothing away.
    const accepted = snapshot()
    const going = deletes.filter((one) => accepted.has(nameOf(one)))
    const before = told.size - (deletes.length - going.length) + deletedAt.size
    for (const one of going) deletedAt.set(nameOf(one), now)
    const deleted = deletedAt.size - returned.length
    const isAll =
      going.length > 1 &&
      going.length >= told.size - (deletes.length - going.length) &&
      going.some(({ kind }) => kind !== 'server')
    const isBurst = isAll || (deleted >= 20 && deleted > before / 2)
    told = new Map(registry)
    checkedTake(() => inventory.take(changesOf({ upserts, deletes }), now))
    for (const one of returned) deletedAt.delete(nameOf(one))
    for (const one of upserts) missingSince.delete(nameOf(one))
    if (isBurst) {
      for (const name of deletedAt.keys()) {
        if (!missingSince.has(name)) missingSince.set(name, now)
      }
    }

    const after = snapshot()
    for (const one of upserts) {
      const inForce = after.get(nameOf(one))
      if (one.kind !== 'server') assert.equal(inForce, one, `${nameOf(one)} is not put at once`)
    }
    if (!isBurst) {
      for (const one of deletes) {
        assert.ok(!after.has(nameOf(one)), `${nameOf(one)} is not deleted at once`)
      }
    }
    noteStripped()
  }

  function say(): void {
    if (isConnected) tell()
  }

  // ---- invariants

  function snapshot(): Objects {
    return new Map(
      KINDS.flatMap((kind) =>
        [...inventory.objects(kind).values()].map((object) => [nameOf(object), object] as const),
      ),
    )
  }

  function checkedTake(take: () => readonly ObjectName[]): void {
    const before = snapshot()
    const names = take().map(nameOf)
    const after = snapshot()

    assert.equal(new Set(names).size, names.length, 'a name is answered twice')
    const different = new Set([...before.keys(), ...after.keys()].filter(isDifferent))
    function isDifferent(name: string): boolean {
      return JSON.stringify(before.get(name)?.value) !== JSON.stringify(after.get(name)?.value)
    }
    assert.deepEqual([...names].sort(), [...different].sort())
  }

  function check(): void {
    const accepted = snapshot()
    let waits = 0
    for (const [name, object] of told) {
      const inForce = accepted.get(name)
      if (inForce === undefined) {
        waits++
        checkWaits(name, object, accepted)
      } else {
        enteredWaitAt.delete(name)
        if (inForce !== object) assert.ok(strippedSince.has(name), `${name} is an old version`)
      }
    }
    for (const name of enteredWaitAt.keys()) if (!told.has(name)) enteredWaitAt.delete(name)
    const undeclared = [...accepted.keys()].filter((name) => !told.has(name))
    for (const name of undeclared) assert.ok(missingSince.has(name), `${name} is not declared`)
    const old = [...strippedSince.keys()].filter((name) => told.has(name))
    assert.equal(inventory.held()?.objects ?? 0, undeclared.length + old.length)
    if (waits + undeclared.length > 0) assert.notEqual(inventory.nextDueAt(), null)
  }

  function checkWaits(name: string, object: DeclaredObject, accepted: Objects): void {
    assert.equal(object.kind, 'server', `${name} is missing`)
    const owner = ownerOf(object.id)
    // What is only held may not be there any more.
    const sure = new Map([...accepted].filter(([one]) => told.has(one) && !strippedSince.has(one)))
    const backend = sure.get(`backend ${owner}`)
    const isServed =
      (backend !== undefined && inlineCount(backend) > 0) || hasServerKeys(owner, sure)
    assert.ok(isServed, `${name} waits though its backend has no other`)
    const since = enteredWaitAt.get(name) ?? now
    enteredWaitAt.set(name, since)
    assert.ok(now - since <= LONGEST_WAIT_MS, `${name} waits for too long`)
  }

  // ---- time

  /** Lets time pass, and does on the way what control would do. */
  function pass(ms: number): void {
    const end = now + ms
    for (;;) {
      const next = inventory.nextDueAt()
      if (next === null || next > end) break
      now = Math.max(now, next)
      checkedTake(() => inventory.due(now))
      if (inventory.needsList(now) && isConnected) list()
      check()
      assert.ok((inventory.nextDueAt() ?? Infinity) > now, 'it would be asked without end')
    }
    now = end
    check()
  }

  function rest(): void {
    if (!isConnected) connect()
    pass(100_000)
    list()
    pass(0)
    assert.deepEqual(snapshot(), registry)
    assert.equal(inventory.held(), null)
    assert.equal(inventory.nextDueAt(), null)
  }

  // ---- what happens

  function connect(): void {
    isConnected = true
    list()
  }

  function put(object: DeclaredObject): void {
    registry.set(nameOf(object), object)
  }

  function putSome(): void {
    const backend = `b${chance.below(5)}`
    put(
      chance.pick([
        declared('frontend', `f${chance.below(30)}`, { backend, at: now }),
        declared('middleware', `f${chance.below(30)}/m`, { at: now }),
        declared('server', `${backend}/s${chance.below(4)}`, { url: 'http://a', at: now }),
        declared('backend', backend, { at: now }),
        declared('backend', backend, { at: now, servers: { s: 'http://b' } }),
      ]),
    )
  }

  function deleteSome(count: number, kind?: ObjectKind): void {
    const some = [...registry.values()].filter((one) => kind === undefined || one.kind === kind)
    for (let left = count; left > 0 && some.length > 0; left--) {
      registry.delete(nameOf(chance.pick(some)))
    }
  }

  const happenings: readonly (() => void)[] = [
    () => {
      putSome()
      say()
    },
    () => {
      for (let left = chance.below(60); left > 0; left--) putSome()
      say()
    },
    () => {
      deleteSome(1)
      say()
    },
    () => {
      deleteSome(chance.below(40))
      say()
    },
    () => {
      // One by one, each told.
      for (let left = chance.below(40); left > 0; left--) {
        deleteSome(1)
        say()
        pass(chance.below(40))
      }
    },
    () => {
      const servers = [...registry.values()].filter((one) => one.kind === 'server')
      if (servers.length === 0) return
      const server = chance.pick(servers)
      for (let left = 1 + chance.below(12); left > 0; left--) {
        registry.delete(nameOf(server))
        say()
        pass(chance.below(300))
        put(server)
        say()
        pass(chance.below(chance.pick([10, 2000, 20_000])))
      }
    },
    () => {
      isConnected = false
    },
    () => {
      connect()
    },
    () => {
      if (isConnected) list()
    },
    () => {
      // A little less than it was: an older dump, or what was not written down.
      deleteSome(1 + chance.below(3))
      isConnected = true
      list(chance.pick(['rewound', 'replaced', 'log', 'restarted']))
    },
    () => {
      lastBackup = new Map(registry)
      registry.clear()
      connect()
    },
    () => {
      for (const object of lastBackup.values()) put(object)
      connect()
    },
    () => {
      // Comes back in halves.
      for (const object of lastBackup.values()) if (chance.once(2)) put(object)
      connect()
    },
    () => {
      lastBackup = new Map(registry)
      deleteSome(Math.ceil(registry.size / 2))
      connect()
    },
    () => {
      const owner = `b${chance.below(5)}`
      for (const one of [...registry.values()]) {
        if (one.kind === 'server' && ownerOf(one.id) === owner) registry.delete(nameOf(one))
      }
      put(declared('backend', owner, { at: now, servers: {} }))
      connect()
    },
  ]

  return { happenings, pass, rest }
}

function nameOf({ kind, id }: ObjectName): string {
  return `${kind} ${id}`
}

function ownerOf(id: string): string {
  return id.split('/')[0] ?? id
}

function inlineCount({ value }: DeclaredObject): number {
  return Object.keys((value as { servers?: object }).servers ?? {}).length
}

function hasServerKeys(backend: string, objects: Objects): boolean {
  for (const { kind, id } of objects.values()) {
    if (kind === 'server' && ownerOf(id) === backend) return true
  }
  return false
}
