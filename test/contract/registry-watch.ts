/** What a registry's provider yields, followed as control follows it: each change is applied to the list before it, and must give the whole. */
import assert from 'node:assert/strict'
import { setTimeout as passed } from 'node:timers/promises'
import type { TestContext } from 'node:test'
import type { DeclaredObject, Declaration, Provider } from '../../src/providers/provider.ts'

/** By `kind id`. */
export type Objects = ReadonlyMap<string, DeclaredObject>

export interface RegistryWatch {
  /** The objects of the registry, as of the last yield. */
  objects(): Objects
  /** Yields so far. */
  yields(): number
  next(): Promise<Declaration>
  /** The first yield, from now on, after which the objects are so. */
  until(isSo: (objects: Objects) => boolean, what: string): Promise<Declaration>
  /** That the watch throws, whatever it yields before, and how long that took from now. */
  lost(withinMs: number): Promise<number>
  /** Stops it and waits until it has ended. */
  stop(): Promise<void>
}

/** Longer than a provider may take to notice anything. */
const PATIENCE_MS = 30_000

export function watchRegistry(t: TestContext, provider: Provider): RegistryWatch {
  const stopping = new AbortController()
  const readings = provider.watch(stopping.signal)[Symbol.asyncIterator]()
  let objects: Objects = new Map()
  let yields = 0

  async function advance(): Promise<Declaration | null> {
    const result = await readings.next()
    if (result.done === true) return null
    const reading = result.value
    assert.ok(reading.readable, 'a registry yields declarations')
    objects = apply(objects, reading, ++yields)
    return reading
  }

  async function next(): Promise<Declaration> {
    const reading = await within(advance(), PATIENCE_MS, 'the next yield')
    assert.ok(reading !== null, 'the watch goes on')
    return reading
  }

  async function stop(): Promise<void> {
    stopping.abort()
    while ((await within(advance(), PATIENCE_MS, 'the end of the watch')) !== null);
  }

  // The server of this test may have ended before: hooks run in the order in which things were opened.
  t.after(() => stop().catch(() => {}))
  return {
    objects: () => objects,
    yields: () => yields,
    next,
    async until(isSo, what) {
      const deadline = performance.now() + PATIENCE_MS
      for (;;) {
        const left = deadline - performance.now()
        const reading = await within(advance(), left, `${what} (now: ${namesOf(objects)})`)
        assert.ok(reading !== null, 'the watch goes on')
        if (isSo(objects)) return reading
      }
    },
    async lost(withinMs) {
      const began = performance.now()
      for (;;) {
        const left = began + withinMs - performance.now()
        const outcome = await within(
          advance().then(
            (reading) => ({ isLost: false, reading }),
            (error: unknown) => ({ isLost: true, reading: null, error }),
          ),
          left,
          'the loss of the source',
        )
        if (outcome.isLost) return performance.now() - began
        assert.ok(outcome.reading !== null, 'the watch throws: it does not just end')
      }
    },
    stop,
  }
}

function apply(before: Objects, reading: Declaration, yields: number): Objects {
  const whole = index(reading.objects)
  if (reading.changes === null) {
    assert.ok(reading.listed !== null, 'a whole list says why it was listed')
    return whole
  }
  assert.ok(yields > 1, 'a watch begins with a whole list')
  assert.equal(reading.listed, null, 'changes are no list')
  const changed = new Map(before)
  for (const { kind, id } of reading.changes.deletes) changed.delete(`${kind} ${id}`)
  for (const object of reading.changes.upserts) changed.set(`${object.kind} ${object.id}`, object)
  assert.deepEqual(texts(changed), texts(whole), 'the changes, applied, give the whole')
  return whole
}

function index(objects: Iterable<DeclaredObject>): Objects {
  const found = new Map<string, DeclaredObject>()
  for (const object of objects) {
    const name = `${object.kind} ${object.id}`
    assert.ok(!found.has(name), `${name} is declared once`)
    found.set(name, object)
  }
  return found
}

function texts(objects: Objects): readonly string[] {
  return [...objects].map(([name, { value }]) => `${name}: ${JSON.stringify(value)}`).sort()
}

function namesOf(objects: Objects): string {
  const names = [...objects.keys()]
  return names.length > 20 ? `${names.length} objects` : names.join(', ')
}

export async function within<T>(promise: Promise<T>, ms: number, what: string): Promise<T> {
  const finished = new AbortController()
  const late = passed(ms, null, { signal: finished.signal }).then(() => {
    throw new Error(`${what}: did not happen within ${Math.round(ms)} ms`)
  })
  late.catch(() => {})
  try {
    return await Promise.race([promise, late])
  } finally {
    finished.abort()
  }
}
