import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAuthority } from '../support/certificates.ts'
import { backend, openAdmission } from '../support/declared.ts'
import type { Admitted } from '../support/declared.ts'

const b = backend('http://10.0.0.9:5001')
const route = 'Host("vote")'
const nothing = { listeners: new Set(), backends: new Set(), frontends: new Set() }

function reasons({ setAside }: Admitted): string[] {
  return setAside.map(({ kind, id, message, serving }) => {
    return `${kind} ${id}: ${message}${serving ? ' (serving)' : ''}`
  })
}

test('sets a bad object aside with its reason and admits all others', () => {
  const admitted = openAdmission().declare({
    listeners: { web: { address: ':8080' } },
    backends: { b, bad: { servers: { s1: 'ftp://x' } } },
    frontends: {
      good: { route, backend: 'b' },
      garbled: { route: 'Host(', backend: 'b' },
      unknown: { route, backend: 'b', prioritty: 1 },
      status: { route, respond: { status: 9999 } },
    },
  })

  assert.deepEqual([...admitted.snapshot.frontends.keys()], ['good'])
  assert.deepEqual([...admitted.snapshot.backends.keys()], ['b'])
  assert.deepEqual([...admitted.snapshot.listeners.keys()], ['web'])
  assert.deepEqual(
    admitted.setAside.map(({ kind, id }) => `${kind} ${id}`),
    ['backend bad', 'frontend garbled', 'frontend unknown', 'frontend status'],
  )
  assert.match(reasons(admitted).join('\n'), /garbled: route: .+ \(at character \d+\)/)
})

test('keeps the last good version of an object in force while it is bad', () => {
  const admission = openAdmission()
  const good = { route, backend: 'b' }
  const first = admission.declare({ backends: { b }, frontends: { vote: good } })

  const second = admission.declare({
    backends: { b: { servers: 7 } },
    frontends: { vote: { route: 'Nonsense()', backend: 'b' } },
  })

  assert.deepEqual(second.snapshot, first.snapshot)
  assert.deepEqual(second.changed, nothing)
  assert.deepEqual(
    second.setAside.map(({ id, serving }) => ({ id, serving })),
    [
      { id: 'b', serving: true },
      { id: 'vote', serving: true },
    ],
  )
})

test('does not bring a deleted object back as its last good version', () => {
  const admission = openAdmission()
  admission.declare({ backends: { b }, frontends: { vote: { route, backend: 'b' } } })
  admission.declare({ backends: { b } })

  const { snapshot } = admission.declare({
    backends: { b },
    frontends: { vote: { route: '', backend: 'b' } },
  })

  assert.equal(snapshot.frontends.size, 0)
})

test('sets a frontend without its backend aside until the backend comes', () => {
  const admission = openAdmission()
  const frontends = { vote: { route, backend: 'b' } }

  const without = admission.declare({ frontends })
  const broken = admission.declare({ frontends, backends: { b: { servers: 7 } } })
  const healed = admission.declare({ frontends, backends: { b } })

  assert.deepEqual(reasons(without), ['frontend vote: backend: "b" is not declared'])
  assert.ok(reasons(broken).includes('frontend vote: backend: "b" is set aside itself'))
  assert.deepEqual(reasons(healed), [])
  assert.deepEqual([...healed.snapshot.frontends.keys()], ['vote'])
})

test('keeps a withdrawn backend as long as the last good version of a frontend needs it', () => {
  const admission = openAdmission()
  const frontends = { vote: { route, backend: 'b' } }
  const first = admission.declare({ backends: { b }, frontends })

  const held = admission.declare({ backends: {}, frontends })
  const late = admission.declare({ frontends: { ...frontends, late: { route, backend: 'b' } } })
  const released = admission.declare({ backends: {}, frontends: {} })

  assert.deepEqual(held.snapshot, first.snapshot)
  assert.deepEqual(held.changed, nothing)
  assert.deepEqual(reasons(held), ['frontend vote: backend: "b" is not declared (serving)'])
  assert.deepEqual([...late.snapshot.frontends.keys()], ['vote'])
  assert.equal(released.snapshot.backends.size, 0)
})

test('keeps the old version when a frontend turns to a backend that is not there', () => {
  const admission = openAdmission()
  admission.declare({ backends: { b }, frontends: { vote: { route, backend: 'b' } } })

  const { snapshot } = admission.declare({
    backends: { b },
    frontends: { vote: { route: 'Host("new")', backend: 'missing' } },
  })

  assert.equal(snapshot.frontends.get('vote')?.route, route)
})

test('refuses the second listener on an address, first by id, whatever the order', () => {
  for (const ids of [
    ['a', 'b'],
    ['b', 'a'],
  ]) {
    const listeners = Object.fromEntries(ids.map((id) => [id, { address: '127.0.0.1:8080' }]))

    const admitted = openAdmission().declare({ listeners })

    assert.deepEqual([...admitted.snapshot.listeners.keys()], ['a'])
    assert.deepEqual(reasons(admitted), [
      'listener b: cannot listen on 127.0.0.1:8080: listener "a" already holds it',
    ])
  }
})

test('lets a listener that serves keep its address against a new one', () => {
  const admission = openAdmission()
  admission.declare({ listeners: { web: { address: ':8080' } } })

  const { snapshot } = admission.declare({
    listeners: { another: { address: ':8080' }, web: { address: ':8080' } },
  })

  assert.deepEqual([...snapshot.listeners.keys()], ['web'])
})

test('lets two listeners swap their addresses', () => {
  const admission = openAdmission()
  admission.declare({ listeners: { a: { address: ':8001' }, b: { address: ':8002' } } })

  const admitted = admission.declare({
    listeners: { a: { address: ':8002' }, b: { address: ':8001' } },
  })

  assert.deepEqual(reasons(admitted), [])
  assert.deepEqual(admitted.snapshot.listeners.get('a')?.address, { host: '', port: 8002 })
})

test('refuses a listener on the address of the admin', () => {
  const admitted = openAdmission().declare({ listeners: { web: { address: '127.0.0.1:8182' } } })

  assert.deepEqual(reasons(admitted), [
    'listener web: cannot listen on 127.0.0.1:8182: the admin already holds it',
  ])
})

test('one address is one however it is written', () => {
  for (const [held, wanted] of [
    [':8080', '[::]:8080'],
    ['[0:0::0]:8080', ':8080'],
    ['127.0.0.1:8080', '[::ffff:127.0.0.1]:8080'],
    ['[::ffff:7f00:1]:8080', '[::ffff:127.0.0.1]:8080'],
  ]) {
    const listeners = { first: { address: held }, second: { address: wanted } }
    const admitted = openAdmission().declare({ listeners })

    assert.match(reasons(admitted)[0] ?? '', /^listener second: cannot listen on .* already holds/)
    assert.equal(reasons(admitted).length, 1)
  }
  const admitted = openAdmission().declare({
    listeners: { web: { address: '[::ffff:127.0.0.1]:8182' } },
  })
  assert.match(reasons(admitted)[0] ?? '', /the admin already holds it$/)
})

test('a listener on an address in the IPv6 form is found by a server in the other', () => {
  for (const [address, url] of [
    ['[::ffff:127.0.0.1]:9090', 'http://127.0.0.1:9090'],
    ['127.0.0.1:9090', 'http://[0:0:0:0:0:ffff:127.0.0.1]:9090'],
    ['[::ffff:0.0.0.0]:9090', 'http://10.0.0.5:9090'],
  ] as const) {
    const listeners = { web: { address } }
    const admitted = openAdmission().declare({ listeners, backends: { loop: backend(url) } })

    assert.match(reasons(admitted)[0] ?? '', /come back to the proxy/, `${url} at ${address}`)
  }
})

test('refuses a backend that leads back to a listener or to the admin', () => {
  const listeners = { all: { address: ':8080' }, inner: { address: '127.0.0.1:9090' } }
  const looping = [
    'http://127.0.0.1:8080',
    'http://127.0.0.2:8080',
    'http://localhost:8080',
    'http://10.0.0.5:8080',
    'http://[::1]:8080',
    'http://[::ffff:127.0.0.1]:8080',
    'http://localhost:9090',
    'http://127.0.0.1:8182',
  ]
  const others = ['http://10.0.0.6:8080', 'http://127.0.0.2:9090', 'http://127.0.0.1:8081']

  for (const url of looping) {
    const admitted = openAdmission().declare({ listeners, backends: { loop: backend(url) } })
    assert.equal(admitted.snapshot.backends.size, 0, url)
    assert.match(reasons(admitted)[0] ?? '', /come back to the proxy/)
  }
  for (const url of others) {
    const admitted = openAdmission().declare({ listeners, backends: { fine: backend(url) } })
    assert.deepEqual(reasons(admitted), [], url)
  }
})

test('refuses a new listener where a server in force is, and takes nothing from that', () => {
  const admission = openAdmission()
  const backends = { b: backend('http://127.0.0.1:8080') }
  const frontends = { vote: { route, backend: 'b' } }
  admission.declare({ backends, frontends })

  const admitted = admission.declare({
    backends,
    frontends,
    listeners: { web: { address: ':8080' } },
  })

  assert.equal(admitted.snapshot.listeners.size, 0)
  assert.ok(admitted.snapshot.frontends.has('vote'))
  assert.deepEqual(reasons(admitted), [
    'listener web: cannot listen on :8080: server "s1" of backend "b" already holds it',
  ])
})

test('does not hold a withdrawn backend that leads back to a new listener', () => {
  const admission = openAdmission()
  const frontends = { vote: { route, backend: 'b' } }
  admission.declare({ backends: { b: backend('http://127.0.0.1:8080') }, frontends })

  const { snapshot } = admission.declare({ frontends, listeners: { web: { address: ':8080' } } })

  assert.equal(snapshot.backends.size, 0)
  assert.equal(snapshot.frontends.size, 0)
})

test('refuses a certificate whose key is another one, naming the paths', (t) => {
  const authority = createAuthority(t)
  const [own, other] = [authority.issue('localhost'), authority.issue('localhost')]
  const files: Record<string, string> = { 'a.pem': own.cert, 'a.key': own.key, 'b.key': other.key }
  const admission = openAdmission({ readFile: (path) => files[path] ?? '' })
  const secure = (key: string): object => ({
    address: ':8443',
    protocol: 'https',
    tls: { certificates: [{ cert: 'a.pem', key }] },
  })

  const admitted = admission.declare({
    listeners: { good: secure('a.key'), bad: { ...secure('b.key'), address: ':8444' } },
  })

  assert.deepEqual([...admitted.snapshot.listeners.keys()], ['good'])
  assert.match(reasons(admitted).join(), /listener bad: .*"b\.key"/)
})

test('takes up a renewed certificate although nothing is written differently', (t) => {
  const authority = createAuthority(t)
  const [old, fresh] = [authority.issue('localhost'), authority.issue('localhost')]
  const files: Record<string, string> = { 'a.pem': old.cert, 'a.key': old.key }
  const admission = openAdmission({ readFile: (path) => files[path] ?? '' })
  const listeners = {
    secure: {
      address: ':8443',
      protocol: 'https',
      tls: { certificates: [{ cert: 'a.pem', key: 'a.key' }] },
    },
  }
  const certificate = (admitted: Admitted): string | undefined =>
    admitted.snapshot.listeners.get('secure')?.tls?.certificates[0]?.cert
  admission.declare({ listeners })
  const before = admission.withChangedFiles()

  files['a.pem'] = fresh.cert
  const half = admission.declare({ listeners })
  files['a.key'] = fresh.key
  const changed = admission.withChangedFiles()
  const whole = admission.declare({ listeners })

  assert.deepEqual([before, changed], [[], [{ kind: 'listener', id: 'secure' }]])
  assert.equal(certificate(half), old.cert)
  assert.equal(certificate(whole), fresh.cert)
  assert.deepEqual(reasons(whole), [])
})

test('leaves what has not changed the same object, another spelling of it too', () => {
  const admission = openAdmission()
  const first = admission.declare({
    backends: { b },
    frontends: { kept: { route, backend: 'b' }, changed: { route, backend: 'b' } },
  })

  const second = admission.declare({
    backends: { b: { servers: { s1: { url: 'http://10.0.0.9:5001', weight: 1 } } } },
    frontends: { kept: { backend: 'b', route }, changed: { route: 'Host("x")', backend: 'b' } },
  })

  assert.deepEqual(second.changed, { ...nothing, frontends: new Set(['changed']) })
  assert.equal(second.snapshot.frontends.get('kept'), first.snapshot.frontends.get('kept'))
  assert.equal(second.snapshot.frontends.get('changed')?.route, 'Host("x")')
})

test('reports the origin of each object and when it came into force', () => {
  let clock = 1000
  const admission = openAdmission({ now: () => clock })
  admission.declare({ backends: { b, c: b } }, 'r1')
  clock = 2000

  admission.declare({ backends: { b, c: backend('http://10.0.0.10:1') } }, 'r2')

  assert.deepEqual(
    [...admission.inForce()].map(({ id, source, declared, revision, since }) => ({
      id,
      source,
      key: declared.key,
      revision,
      since,
    })),
    [
      { id: 'b', source: 'file', key: 'sluice.yaml#/backends/b', revision: 'r1', since: 1000 },
      { id: 'c', source: 'file', key: 'sluice.yaml#/backends/c', revision: 'r2', since: 2000 },
    ],
  )
})

test('reports the position of a mistake in the source', () => {
  const admission = openAdmission({}, ['file'], (_object, path) =>
    path[0] === 'balance' ? { line: 7, column: 3 } : null,
  )

  const { setAside } = admission.declare({ backends: { b: { servers: {}, balance: 'dice' } } })

  assert.equal(setAside[0]?.line, 7)
  assert.equal(setAside[0]?.column, 3)
})

test('keeps nothing of another source in force for an object that is malformed', () => {
  const admission = openAdmission({}, ['file', 'etcd'])
  const good = {
    backends: { b: backend('http://10.0.0.1:80') },
    servers: { 'b/x': 'http://10.0.0.2:80' },
    frontends: { f: { route: 'Host("f")', backend: 'b' } },
    middlewares: { 'f/m': { kind: 'headers', request: { set: { 'X-A': 'a' } } } },
  }
  const bad = {
    backends: { b: { servers: 1 } },
    servers: { 'b/x': 'ftp://x' },
    frontends: { f: { route: 'Host(', respond: { status: 204 } } },
    middlewares: { 'f/m': { kind: 'none' } },
  }
  admission.declare(good)
  admission.declare(bad, 'r1', 'etcd')

  const { snapshot, setAside } = admission.declare({})

  assert.equal(snapshot.frontends.size, 0)
  assert.deepEqual(snapshot.backends.get('b')?.servers ?? [], [])
  assert.ok(setAside.every(({ source, serving }) => source === 'etcd' && !serving))
  assert.equal(setAside.length, 4)
})
