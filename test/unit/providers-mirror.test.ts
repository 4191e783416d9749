import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { createLayout } from '../support/layouts.ts'
import { createMirror } from '../../src/providers/registry/mirror.ts'
import type { KeyEntry, Layout } from '../../src/providers/layout.ts'
import type { Mirror } from '../../src/providers/registry/mirror.ts'
import type { Changes, DeclaredObject } from '../../src/providers/provider.ts'

const sluice = createLayout('sluice', { sealKey: null })

test('the first declaration is a list of everything and has no changes', () => {
  const mirror = createMirror(sluice)
  mirror.replace([entry('backends/b/backend', '{}'), entry('backends/b/servers/s', '"http://a:1"')])

  const declared = mirror.declare({ revision: '7', listed: 'first', changedAt: 42 })

  assert.equal(declared.changes, null)
  assert.equal(declared.listed, 'first')
  assert.equal(declared.revision, '7')
  assert.equal(declared.changedAt, 42)
  assert.deepEqual(
    [...declared.objects].map(({ kind, id }) => `${kind} ${id}`),
    ['backend b', 'server b/s'],
  )
})

test('a put and a delete are told one by one, with the object as it now is', () => {
  const mirror = mirrorOf(entry('backends/b/backend', '{}'), entry('backends/c/backend', '{}'))

  mirror.put(entry('backends/b/backend', '{"balance":"least-connections"}'))
  mirror.delete('backends/c/backend')
  const { upserts, deletes } = changesOf(mirror)

  assert.deepEqual(upserts, [
    {
      kind: 'backend',
      id: 'b',
      value: { balance: 'least-connections' },
      key: '/kv/backends/b/backend',
    },
  ])
  assert.deepEqual(deletes, [{ kind: 'backend', id: 'c' }])
  assert.equal(mirror.size, 1)
})

test('the same text put again is no change, whatever its revision', () => {
  const mirror = mirrorOf({ ...entry('backends/b/servers/s', '"http://a:1"'), revision: '1' })

  mirror.put({ ...entry('backends/b/servers/s', '"http://a:1"'), revision: '2' })

  assert.deepEqual(changesOf(mirror), { upserts: [], deletes: [] })
})

test('what is left of an object without its main key is reported when it appears and when it goes, and is bounded', () => {
  const mirror = createMirror(createLayout('traefik', { sealKey: null }))
  const look = (): [hasNews: boolean, problems: number] => {
    const { problems } = mirror.declare({ revision: '1', listed: null, changedAt: 0 })
    return [mirror.hasNews, problems.length]
  }
  mirror.declare({ revision: '1', listed: 'first', changedAt: 0 })

  mirror.put(entry('http/routers/r/service', 's'))
  assert.deepEqual(look(), [true, 1])
  assert.deepEqual(look(), [false, 1])
  mirror.delete('http/routers/r/service')
  assert.deepEqual(look(), [true, 0])
  for (let at = 0; at < 300; at++) mirror.put(entry(`http/routers/r${at}/service`, 's'))
  assert.deepEqual(look(), [true, 101])
})

test('what was changed and changed back between two declarations is no change', () => {
  const mirror = mirrorOf(entry('backends/b/backend', '{}'))

  mirror.put(entry('backends/b/backend', '{"balance":"x"}'))
  mirror.put(entry('backends/b/backend', ' {} '))
  mirror.put(entry('backends/new/backend', '{}'))
  mirror.delete('backends/new/backend')
  mirror.delete('backends/b/backend')
  mirror.put(entry('backends/b/backend', '{}'))

  assert.deepEqual(changesOf(mirror), { upserts: [], deletes: [] })
})

test('another fault of the same key is a change, the same one is none', () => {
  const mirror = mirrorOf(entry('backends/b/backend', '['))

  mirror.put(entry('backends/b/backend', 'nonsense'))
  const other = changesOf(mirror)
  mirror.put({ ...entry('backends/b/backend', null), fault: 'is not UTF-8' })
  const unreadable = changesOf(mirror)
  mirror.put({ ...entry('backends/b/backend', null), fault: 'is not UTF-8' })
  const same = changesOf(mirror)

  assert.equal(other.upserts.length, 1)
  assert.equal(unreadable.upserts[0]?.fault, 'is not UTF-8')
  assert.deepEqual(same, { upserts: [], deletes: [] })
})

test('what a list does not hold is gone, and what it confirms stays the same object', () => {
  const mirror = mirrorOf(entry('backends/b/backend', '{}'), entry('backends/c/backend', '{}'))
  const [before] = objectsOf(mirror)

  mirror.replace([entry('backends/b/backend', '{}'), entry('backends/d/backend', '{}')])
  const declared = mirror.declare({ revision: '', listed: 'reconcile', changedAt: 0 })

  const after = [...declared.objects]
  assert.equal(declared.changes, null)
  assert.equal(declared.listed, 'reconcile')
  assert.deepEqual(
    after.map(({ id }) => id),
    ['b', 'd'],
  )
  assert.equal(after[0], before)
  assert.equal(mirror.size, 2)
})

test('keys that are none of the layout are not kept', () => {
  const mirror = mirrorOf(entry('autocert_cache/x', 'bytes'), entry('backends', '{}'))

  mirror.put(entry('else', '{}'))
  mirror.delete('backends/nobody/backend')

  assert.deepEqual(changesOf(mirror), { upserts: [], deletes: [] })
  assert.equal(mirror.size, 0)
})

test('a group that looked into another one is read again with it, before it is there and after it is gone', () => {
  const mirror = createMirror(looking)
  mirror.replace([entry('a/1', 'one'), entry('c/1', 'other')])
  const first = valuesOf(mirror)
  mirror.put(entry('b/1', 'x'))
  const asked = changesOf(mirror).upserts.map(({ id }) => id)
  const second = valuesOf(mirror)
  mirror.delete('b/1')
  const third = valuesOf(mirror)

  assert.deepEqual(first, { a: 'one', c: 'other' })
  assert.deepEqual(asked, ['b', 'a'])
  assert.deepEqual(second, { a: 'one x', b: 'x', c: 'other' })
  assert.deepEqual(third, first)
})

test('a group that no longer looks into another one is not read again with it', () => {
  const read: string[] = []
  const mirror = createMirror({
    ...looking,
    read(entries, entriesOf) {
      const [own] = entries
      read.push(own?.path ?? '')
      return own?.text === 'blind' ? [] : looking.read(entries, entriesOf)
    },
  })
  mirror.replace([entry('a/1', 'one'), entry('b/1', 'x')])
  valuesOf(mirror)
  mirror.put(entry('a/1', 'blind'))
  valuesOf(mirror)
  read.length = 0

  mirror.put(entry('b/1', 'y'))
  valuesOf(mirror)

  assert.deepEqual(read, ['b/1'])
})

test('a change costs its group and not the mirror', () => {
  let reads = 0
  const counting: Layout = {
    ...sluice,
    read: (...given) => {
      reads += 1
      return sluice.read(...given)
    },
  }
  const mirror = createMirror(counting)
  mirror.replace(
    Array.from({ length: 1000 }, (_, at) => entry(`backends/b${at}/servers/s`, '"http://a:1"')),
  )
  mirror.declare({ revision: '', listed: 'first', changedAt: 0 })
  reads = 0

  mirror.put(entry('backends/b7/servers/s', '"http://a:2"'))
  mirror.put(entry('backends/b7/servers/s', '"http://a:3"'))
  changesOf(mirror)
  mirror.replace(
    Array.from({ length: 1000 }, (_, at) => entry(`backends/b${at}/servers/s`, '"http://a:1"')),
  )
  mirror.declare({ revision: '', listed: 'reconcile', changedAt: 0 })

  assert.equal(reads, 2)
})

test('a value beyond the bound is a fault that says so, and those within it go on', () => {
  const mirror = createMirror(sluice, 1000)
  mirror.replace([
    entry('backends/a/backend', padded(600)),
    entry('backends/b/backend', padded(300)),
  ])
  valuesOf(mirror)

  mirror.put(entry('backends/c/backend', padded(300)))
  mirror.put(entry('backends/d/backend', padded(100)))
  const refused = changesOf(mirror).upserts
  mirror.put(entry('backends/c/backend', padded(400)))
  const again = changesOf(mirror)

  assert.deepEqual(
    refused.map(({ id, value, fault = '' }) => [id, value, /already holds .* of text/.test(fault)]),
    [
      ['c', undefined, true],
      ['d', {}, false],
    ],
  )
  assert.deepEqual(again, { upserts: [], deletes: [] })
})

test('what is deleted or shrinks makes room, and what is replaced counts once', () => {
  const mirror = createMirror(sluice, 1000)
  mirror.replace([
    entry('backends/a/backend', padded(500)),
    entry('backends/b/backend', padded(500)),
  ])
  valuesOf(mirror)

  mirror.put(entry('backends/a/backend', padded(200)))
  mirror.put(entry('backends/c/backend', padded(300)))
  mirror.delete('backends/b/backend')
  mirror.delete('backends/b/backend')
  for (let i = 2; i <= 500; i++) mirror.put(entry('backends/d/backend', padded(i)))
  mirror.put(entry('backends/e/backend', padded(20)))

  const { upserts } = changesOf(mirror)
  assert.deepEqual(
    upserts.filter(({ fault }) => fault !== undefined).map(({ id }) => id),
    ['e'],
  )
})

test('a list is weighed by itself: what it does not hold leaves its room, and its order decides', () => {
  const mirror = createMirror(sluice, 1000)
  const a = entry('backends/a/backend', padded(500))
  const b = entry('backends/b/backend', padded(500))
  const c = entry('backends/c/backend', padded(500))
  mirror.replace([a, b, c])
  const first = faultsOf(mirror)
  mirror.replace([b, c, a])
  const turned = faultsOf(mirror)
  mirror.replace([c, a])
  const fewer = faultsOf(mirror)
  mirror.put(b)
  const full = faultsOf(mirror)
  mirror.replace([c, c, b])
  const twice = faultsOf(mirror)

  assert.deepEqual([first, turned, fewer, full, twice], [['c'], ['a'], [], ['b'], []])
})

test('a text of many small members weighs what they take once they are parsed', () => {
  const mirror = createMirror(sluice, 1000)
  const dense = `{"x":[${'{},'.repeat(30)}0]}`
  mirror.replace([entry('backends/a/backend', padded(900)), entry('backends/b/backend', dense)])

  const faults = faultsOf(mirror)

  assert.ok(dense.length <= 100)
  assert.deepEqual(faults, ['b'])
})

test('shows the problems that it is given', () => {
  const mirror = mirrorOf()
  const problem = { kind: 'source', id: '', message: 'm', source: 's', key: 'k' } as const

  const { problems } = mirror.declare({
    ...{ revision: '', listed: null, changedAt: 0 },
    problems: [problem],
  })

  assert.deepEqual(problems, [problem])
})

const PATHS = {
  sluice: [
    'listeners/l',
    'hosts/h/host',
    'backends/b1/backend',
    'backends/b10/backend',
    'backends/b1/servers/s',
    'backends/b1/servers/s1',
    'frontends/f/frontend',
    'frontends/f/middlewares/m',
    'frontends/f',
    'nonsense',
  ],
  vulcand: [
    'frontends/f',
    'frontends/f/frontend',
    'frontends/f/middlewares/m',
    'backends/b1',
    'backends/b1/backend',
    'backends/b1/servers/s',
    'hosts/h',
    'hosts/h/host',
    'listeners/l',
    'listeners/l/x',
  ],
  traefik: [
    'http/routers/r/rule',
    'http/routers/r/Rule',
    'http/routers/r/service',
    'http/routers/r/middlewares/0',
    'http/middlewares/m/headers/customrequestheaders/X-A',
    'http/middlewares/m/basicauth/users/0',
    'http/services/s/loadbalancer/servers/0/url',
    'http/services/s/loadbalancer/servers/1/URL',
    'http/services/s/weighted/services/0/name',
    'tls/certificates/0/certfile',
  ],
}
const TEXTS = [
  '{}',
  'null',
  '[',
  '"http://10.0.0.1:80"',
  '{"Type":"http","BackendId":"b1","Route":"Path(`/`)"}',
  '{"Type":"http"}',
  '{"URL":"http://10.0.0.1:80/x"}',
  'Host(`a`)',
  'm',
  'm@redis',
  'true',
  '1',
]

/** Or hardly any router would ever be whole. */
const FITTING: ReadonlyMap<string, string> = new Map([
  ['http/routers/r/rule', 'Host(`a`)'],
  ['http/routers/r/middlewares/0', 'm'],
  ['http/middlewares/m/headers/customrequestheaders/X-A', 'a'],
])

for (const name of ['sluice', 'vulcand', 'traefik'] as const) {
  const path = fc.constantFrom(...PATHS[name])
  const key = fc
    .tuple(path, fc.constantFrom(...TEXTS), fc.nat(2))
    .map(([at, text, chance]) => entry(at, chance === 0 ? text : (FITTING.get(at) ?? text)))
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ put: key }) },
    { weight: 3, arbitrary: fc.record({ delete: path }) },
    { weight: 1, arbitrary: fc.record({ replace: fc.array(key, { maxLength: 6 }) }) },
    { weight: 3, arbitrary: fc.constant({ declare: true }) },
  )

  test(`${name}: after any puts, deletes and lists a mirror declares what a fresh list would, and its changes lead there`, () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40, size: 'max' }), (steps) => {
        const layout = createLayout(name, { sealKey: null })
        const mirror = createMirror(layout)
        const keys = new Map<string, KeyEntry>()
        const followed = new Map<string, DeclaredObject>()
        for (const one of [...steps, { declare: true }]) {
          if ('put' in one) {
            keys.set(one.put.path, one.put)
            mirror.put(one.put)
          } else if ('delete' in one) {
            keys.delete(one.delete)
            mirror.delete(one.delete)
          } else if ('replace' in one) {
            keys.clear()
            for (const given of one.replace) keys.set(given.path, given)
            mirror.replace(one.replace)
          } else follow(mirror, followed)
        }

        const fresh = createMirror(layout)
        fresh.replace([...keys.values()].reverse())
        assert.deepEqual(byName(objectsOf(mirror)), byName(objectsOf(fresh)))
        assert.deepEqual(byName([...followed.values()]), byName(objectsOf(fresh)))
        assert.equal(mirror.size, fresh.size)
      }),
      { numRuns: 300 },
    )
  })

  test(`${name}: hostile keys and values never throw, and no two objects have one name`, () => {
    const segments = ['frontends', 'servers', 'backend', '__proto__', '', 'a b', '\u0000', 'é']
    const words = [...segments, ...PATHS[name].flatMap((one) => one.split('/'))]
    const hostilePath = fc
      .array(fc.oneof(fc.constantFrom(...words), fc.string()), { maxLength: 7 })
      .map((parts) => parts.join('/'))
    const members = fc.constantFrom(
      ...['Id', 'Type', 'URL', 'url', 'Settings', 'TLS', 'Address', 'Network', 'KeyPair', 'Scope'],
      ...['Middleware', 'Priority', 'Route', 'BackendId', 'Timeouts', 'Read', 'KeepAlive', 'Val'],
    )
    const json = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        fc.jsonValue({ maxDepth: 1 }),
        fc.constantFrom('http', 'tcp', 'http://a', '5s', '', null, true, -1),
        fc.dictionary(members, tie('value'), { maxKeys: 5 }),
        fc.array(tie('value'), { maxLength: 2 }),
      ),
    })).value
    const text = fc.oneof(
      json.map((value) => JSON.stringify(value)),
      fc.constantFrom(...TEXTS, '{"__proto__":{"a":1}}', '['.repeat(100_000), '{"a":1,"a":2}'),
      fc.string(),
    )
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.oneof(fc.constantFrom(...PATHS[name]), hostilePath), text), {
          maxLength: 12,
        }),
        (given) => {
          const mirror = createMirror(createLayout(name, { sealKey: null }))
          mirror.replace(given.map(([path, value]) => entry(path, value)))
          const objects = objectsOf(mirror)

          assert.equal(byName(objects).size, objects.length)
          for (const { fault, value, remarks = [] } of objects) {
            assert.equal(value === undefined, fault !== undefined)
            for (const told of [...remarks, fault ?? '']) {
              assert.doesNotMatch(told, /[\u0000-\u001f\u007f-\u009f]/)
              assert.ok(told.length < 2000)
            }
          }
        },
      ),
      { numRuns: 1000 },
    )
  })
}

/** Objects of `a` show what stands in `b`. */
const looking: Layout = {
  name: 'sluice',
  groupOf: (path) => path.split('/')[0] ?? null,
  read(entries, entriesOf) {
    const [own] = entries
    if (own === undefined) return []
    const id = own.path.charAt(0)
    const seen = id === 'a' ? entriesOf('b').map(({ text }) => text) : []
    return [{ kind: 'backend', id, value: [own.text, ...seen].join(' '), key: own.key }]
  },
  pathOf: () => null,
}

function entry(path: string, text: string | null): KeyEntry {
  return { path, key: `/kv/${path}`, text }
}

function mirrorOf(...entries: KeyEntry[]): Mirror {
  const mirror = createMirror(sluice)
  mirror.replace(entries)
  mirror.declare({ revision: '', listed: 'first', changedAt: 0 })
  return mirror
}

function changesOf(mirror: Mirror): Changes {
  const { changes, listed } = mirror.declare({ revision: '', listed: null, changedAt: 0 })
  assert.ok(changes)
  assert.equal(listed, null)
  return changes
}

function objectsOf(mirror: Mirror): DeclaredObject[] {
  return [...mirror.declare({ revision: '', listed: 'asked', changedAt: 0 }).objects]
}

/** A backend without settings, in so many characters. */
function padded(length: number): string {
  return `{${' '.repeat(length - 2)}}`
}

function faultsOf(mirror: Mirror): string[] {
  return objectsOf(mirror).flatMap(({ id, fault }) => (fault === undefined ? [] : [id]))
}

function valuesOf(mirror: Mirror): Record<string, unknown> {
  return Object.fromEntries(objectsOf(mirror).map(({ id, value }) => [id, value]))
}

function byName(objects: readonly DeclaredObject[]): Map<string, DeclaredObject> {
  return new Map(objects.map((object) => [`${object.kind} ${object.id}`, object]))
}

function follow(mirror: Mirror, followed: Map<string, DeclaredObject>): void {
  const { objects, changes } = mirror.declare({ revision: '', listed: null, changedAt: 0 })
  if (changes === null) followed.clear()
  for (const object of changes?.upserts ?? objects) {
    followed.set(`${object.kind} ${object.id}`, object)
  }
  for (const { kind, id } of changes?.deletes ?? []) {
    assert.ok(followed.delete(`${kind} ${id}`))
  }
}
