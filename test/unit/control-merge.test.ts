import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createMerge } from '../../src/control/merge.ts'
import type { Merge } from '../../src/control/merge.ts'
import type { ObjectKind } from '../../src/providers/provider.ts'
import { KINDS, openAdmission, openSource, toObjects } from '../support/declared.ts'
import type { Admitted, Sections } from '../support/declared.ts'

const one = { servers: { s1: 'http://10.0.0.1:80' } }
const two = { servers: { s1: 'http://10.0.0.2:80' } }
const route = 'Host("vote")'

function hosts({ snapshot }: Admitted, backend: string): string[] | undefined {
  return snapshot.backends.get(backend)?.servers.map(({ host }) => host)
}

test('gives an object of two sources to the first and names it to the second', () => {
  const admission = openAdmission({}, ['file', 'etcd'])
  admission.declare({ frontends: { f: { route, respond: { status: 204 } } } })

  const { snapshot, problems } = admission.declare(
    { frontends: { f: { route: 'Host("x")', respond: { status: 204 } } } },
    'r1',
    'etcd',
  )

  assert.equal(snapshot.frontends.get('f')?.route, route)
  assert.deepEqual(
    problems.map(({ source, id, message }) => [source, id, message]),
    [
      [
        'etcd',
        'f',
        'frontend "f" is ignored: source "file" already declares it; rename one of them',
      ],
    ],
  )
})

test('hands an object on to the next source when the first one gives it up', () => {
  const admission = openAdmission({}, ['file', 'etcd'])
  admission.declare({ backends: { b: one } })
  admission.declare({ backends: { b: two } }, 'r1', 'etcd')

  const admitted = admission.declare({ backends: {} })

  assert.deepEqual(hosts(admitted, 'b'), ['10.0.0.2'])
  assert.deepEqual(admitted.problems, [])
})

test('keeps the backend of a later source within reach of its own frontends, and by name', () => {
  const admission = openAdmission({}, ['file', 'etcd'])
  admission.declare({
    backends: { b: one },
    frontends: { f: { route, backend: 'b' }, over: { route: 'Host("o")', backend: 'b@etcd' } },
  })

  const admitted = admission.declare(
    { backends: { b: two }, frontends: { g: { route: 'Host("g")', backend: 'b' } } },
    'r1',
    'etcd',
  )

  const backendOf = (id: string): string | null | undefined =>
    admitted.snapshot.frontends.get(id)?.backend
  assert.deepEqual([backendOf('f'), backendOf('g'), backendOf('over')], ['b', 'b@etcd', 'b@etcd'])
  assert.deepEqual(hosts(admitted, 'b@etcd'), ['10.0.0.2'])
  assert.match(admitted.problems[0]?.message ?? '', /reach this one as "b@etcd"/)
})

test('takes a frontend along when the backend it means moves to another name', () => {
  const admission = openAdmission({}, ['file', 'etcd'])
  admission.declare(
    { backends: { b: two }, frontends: { g: { route, backend: 'b' } } },
    'r1',
    'etcd',
  )

  const shadowed = admission.declare({ backends: { b: one } })
  const alone = admission.declare({})

  assert.equal(shadowed.snapshot.frontends.get('g')?.backend, 'b@etcd')
  assert.deepEqual(hosts(shadowed, 'b@etcd'), ['10.0.0.2'])
  assert.equal(alone.snapshot.frontends.get('g')?.backend, 'b')
  assert.deepEqual([...alone.snapshot.backends.keys()], ['b'])
})

test('lets servers of a registry join a backend of the file', () => {
  const admission = openAdmission({}, ['file', 'etcd'])
  admission.declare({ backends: { b: { balance: 'least-connections' } } })

  const admitted = admission.declare({ servers: { 'b/a': 'http://10.0.0.7:80' } }, 'r1', 'etcd')

  assert.deepEqual(hosts(admitted, 'b'), ['10.0.0.7'])
  assert.equal(admitted.snapshot.backends.get('b')?.balance, 'least-connections')
})

test('leaves servers with the backend of their own source', () => {
  const admission = openAdmission({}, ['file', 'etcd'])
  admission.declare({ backends: { b: one } })

  const admitted = admission.declare(
    { backends: { b: {} }, servers: { 'b/s1': 'http://10.0.0.7:80' } },
    'r1',
    'etcd',
  )

  assert.deepEqual(hosts(admitted, 'b'), ['10.0.0.1'])
  assert.deepEqual(hosts(admitted, 'b@etcd'), ['10.0.0.7'])
})

test('gives an address to the listener of the earlier source, whatever their ids', () => {
  const admission = openAdmission({}, ['file', 'etcd'])
  const own = { address: ':8080' }
  const sources = ['file', 'etcd'].map(openSource)
  sources[0]?.replace(toObjects({ listeners: { web: own } }))
  sources[1]?.replace(toObjects({ listeners: { dup: own } }))
  const merge = createMerge(sources)
  const names = ['dup', 'web'].map((id) => ({ kind: 'listener' as const, id }))

  const { snapshot } = admission.admit({
    names,
    merge,
    locate: () => undefined,
    revision: () => '',
  })

  assert.deepEqual([...snapshot.listeners.keys()], ['web'])
})

test('lets nobody take the name that stands for the backend of another source', () => {
  const admission = openAdmission({}, ['file', 'etcd', 'redis'])
  admission.declare({ backends: { b: one } }, 'r1', 'etcd')
  admission.declare({ backends: { b: two } }, 'r1', 'redis')

  const three = { servers: { s1: 'http://10.0.0.3:80' } }
  const admitted = admission.declare({ backends: { b: one, 'b@redis': three } }, 'r1', 'etcd')

  assert.deepEqual(hosts(admitted, 'b@redis'), ['10.0.0.2'])
})

test('sends nobody on to the backend of another source when the one that was meant is gone', () => {
  const admission = openAdmission({}, ['file', 'etcd', 'redis'])
  admission.declare({ backends: { b: one } }, 'r1', 'etcd')
  admission.declare({ backends: { b: two } }, 'r1', 'redis')
  admission.declare({ frontends: { f: { route, backend: 'b@etcd' } } })

  const gone = admission.declare({}, 'r1', 'etcd')
  const back = admission.declare({ backends: { b: one } }, 'r1', 'etcd')

  assert.equal(gone.snapshot.frontends.size, 0)
  assert.match(gone.setAside[0]?.message ?? '', /"b@etcd" is not declared/)
  assert.deepEqual(hosts(back, back.snapshot.frontends.get('f')?.backend ?? ''), ['10.0.0.1'])
})

const wholes = fc.constantFrom('a', 'b', 'a@one', 'b@two', 'a@two')
const part = fc.tuple(wholes, fc.constantFrom('x', 'y')).map((parts) => parts.join('/'))
const sections: fc.Arbitrary<Sections> = fc.record({
  backends: fc.dictionary(wholes, fc.constant(one), { maxKeys: 3 }),
  frontends: fc.dictionary(fc.constantFrom('a', 'b'), fc.constant({ route }), { maxKeys: 2 }),
  servers: fc.dictionary(part, fc.constant('http://10.0.0.1:80'), { maxKeys: 3 }),
  middlewares: fc.dictionary(fc.constantFrom('a/x', 'b/x'), fc.constant({}), { maxKeys: 2 }),
})

test('names everything in the table that a change of a source may have touched', () => {
  const steps = fc.array(fc.tuple(fc.nat(2), sections), { maxLength: 8 })
  fc.assert(
    fc.property(steps, (changes) => {
      const sources = ['zero', 'one', 'two'].map(openSource)
      const merge = createMerge(sources)
      const followed = new Map<string, unknown>()
      for (const [at, declared] of changes) {
        const touched = sources[at]?.replace(toObjects(declared, `${at}#/`)) ?? []
        for (const { kind, id } of merge.affected(touched)) note(merge, followed, kind, id)
      }
      const fresh = createMerge(sources)
      const all = new Map<string, unknown>()
      for (const source of sources) {
        const names = KINDS.flatMap((kind) =>
          [...source.objects(kind).keys()].map((id) => ({ kind, id })),
        )
        for (const { kind, id } of fresh.affected(names)) note(fresh, all, kind, id)
      }

      assert.deepEqual(Object.fromEntries(followed), Object.fromEntries(all))
      assert.equal(merge.conflicts().length, fresh.conflicts().length)
    }),
    { numRuns: 500 },
  )
})

function note(merge: Merge, table: Map<string, unknown>, kind: ObjectKind, id: string): void {
  const found = merge.find(kind, id)
  const name = `${kind} ${id}`
  if (found === null) table.delete(name)
  else table.set(name, found.declared.key)
}
