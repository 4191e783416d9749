// Listeners that name a backend: they wait for it as frontends do.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAuthority } from '../support/certificates.ts'
import { backend, openAdmission } from '../support/declared.ts'
import type { Admitted } from '../support/declared.ts'

const b = backend('http://10.0.0.9:5001')
const c = backend('http://10.0.0.9:5002')
const address = '127.0.0.1:3213'
const orders = { address, backend: 'b' }

function reasons({ setAside }: Admitted): string[] {
  return setAside.map(({ kind, id, message, serving }) => {
    return `${kind} ${id}: ${message}${serving ? ' (serving)' : ''}`
  })
}

function inForce({ snapshot }: Admitted): string[] {
  return Array.from(snapshot.listeners.values(), ({ id, address: at, backend: to }) => {
    return `${id} ${'port' in at ? at.port : at.path} -> ${to}`
  })
}

test('a listener waits for its backend, in either order and in one change', () => {
  const admission = openAdmission()
  const listeners = { orders }

  const without = admission.declare({ listeners })
  const broken = admission.declare({ listeners, backends: { b: { servers: 7 } } })
  const whole = admission.declare({ listeners, backends: { b } })
  const atOnce = openAdmission().declare({ listeners, backends: { b } })

  assert.deepEqual(
    [reasons(without), inForce(without)],
    [['listener orders: backend: "b" is not declared'], []],
  )
  assert.ok(reasons(broken).includes('listener orders: backend: "b" is set aside itself'))
  for (const admitted of [whole, atOnce]) {
    assert.deepEqual([reasons(admitted), inForce(admitted)], [[], ['orders 3213 -> b']])
  }
})

test('a server alone declares the backend that a listener waits for', () => {
  const admitted = openAdmission().declare({
    listeners: { orders },
    servers: { 'b/one': { url: 'http://10.0.0.9:5001' } },
  })

  assert.deepEqual([reasons(admitted), inForce(admitted)], [[], ['orders 3213 -> b']])
})

test('keeps a withdrawn backend as long as a listener needs it', () => {
  const admission = openAdmission()
  const listeners = { orders }
  const first = admission.declare({ backends: { b }, listeners })

  const held = admission.declare({ listeners })
  const moved = admission.declare({
    backends: { c },
    listeners: { orders: { address, backend: 'c' } },
  })

  assert.deepEqual(held.snapshot, first.snapshot)
  assert.deepEqual(reasons(held), ['listener orders: backend: "b" is not declared (serving)'])
  assert.deepEqual(inForce(moved), ['orders 3213 -> c'])
  assert.deepEqual([...moved.snapshot.backends.keys()], ['c'])
})

test('keeps the old version, at its address, while a listener turns to a backend that is not there', () => {
  const admission = openAdmission()
  admission.declare({ backends: { b }, listeners: { orders } })

  const turned = admission.declare({
    backends: { b },
    listeners: { orders: { address: '127.0.0.1:3214', backend: 'c' }, web: { address } },
  })
  const arrived = admission.declare({
    backends: { b, c },
    listeners: { orders: { address: '127.0.0.1:3214', backend: 'c' }, web: { address } },
  })

  assert.deepEqual(inForce(turned), ['orders 3213 -> b'])
  assert.deepEqual(reasons(turned), [
    'listener orders: backend: "c" is not declared (serving)',
    'listener web: cannot listen on 127.0.0.1:3213: listener "orders" already holds it',
  ])
  assert.deepEqual(inForce(arrived).sort(), ['orders 3214 -> c', 'web 3213 -> null'])
})

test('a listener that waits for its backend holds no address', () => {
  const admission = openAdmission()

  const waiting = admission.declare({ listeners: { orders, web: { address } } })
  const late = admission.declare({ listeners: { orders, web: { address } }, backends: { b } })

  assert.deepEqual(inForce(waiting), ['web 3213 -> null'])
  assert.deepEqual(inForce(late), ['web 3213 -> null'])
  assert.deepEqual(reasons(late), [
    'listener orders: cannot listen on 127.0.0.1:3213: listener "web" already holds it',
  ])
})

test('a listener whose backend has a server at its own address is refused, in any order', () => {
  const listeners = { orders }
  const backends = { b: backend(`http://${address}`) }
  const steps = [[{ listeners }], [{ backends }], [{ listeners, backends: { b } }], []]

  for (const before of steps) {
    const admission = openAdmission()
    for (const sections of before) admission.declare(sections)

    const looped = admission.declare({ listeners, backends })
    const mended = admission.declare({ listeners, backends: { b } })

    assert.ok(
      reasons(looped).some((reason) => /3213/.test(reason)),
      reasons(looped).join('\n'),
    )
    assert.deepEqual([reasons(mended), inForce(mended)], [[], ['orders 3213 -> b']])
  }
})

test('an address that a listener leaves for its new backend is free for a server at once', () => {
  const admission = openAdmission()
  admission.declare({ backends: { b }, listeners: { orders } })

  const moved = admission.declare({
    backends: { b: backend(`http://${address}`), c },
    listeners: { orders: { address: '127.0.0.1:3214', backend: 'c' } },
  })

  assert.deepEqual([reasons(moved), inForce(moved)], [[], ['orders 3214 -> c']])
  assert.equal(moved.snapshot.backends.get('b')?.servers[0]?.port, 3213)
})

test('a listener without a backend serves routes as before, and one with a backend may lose it', () => {
  const admission = openAdmission()
  admission.declare({ backends: { b }, listeners: { orders } })

  const routed = admission.declare({ listeners: { orders: { address } } })

  assert.deepEqual(inForce(routed), ['orders 3213 -> null'])
  assert.equal(routed.snapshot.backends.size, 0)
})

test('a scope belongs to a listener of requests', () => {
  const scope = 'PathPrefix("/v1")'

  const admitted = openAdmission().declare({
    backends: { b },
    listeners: {
      http: { address: ':1', backend: 'b', scope },
      tcp: { address: ':2', protocol: 'tcp', backend: 'b', scope },
    },
  })

  assert.deepEqual(inForce(admitted), ['http 1 -> b'])
  assert.deepEqual(reasons(admitted), [
    'listener tcp: scope: is used with protocol: http, https or h2c only',
  ])
})

test('a listener that a server kept from its address takes it once the server is gone', () => {
  const admission = openAdmission({}, ['file', 'registry'])
  const backends = { b: backend(`http://${address}`) }
  admission.declare({ backends }, 'r1', 'registry')

  const refused = admission.declare({ listeners: { web: { address } } })
  const free = admission.declare({ backends: { b } }, 'r2', 'registry')

  assert.deepEqual(reasons(refused), [
    'listener web: cannot listen on 127.0.0.1:3213: server "s1" of backend "b" already holds it',
  ])
  assert.deepEqual([reasons(free), inForce(free)], [[], ['web 3213 -> null']])
})

test('a listener of one source names a backend of another, and notices when a third takes it over', () => {
  const admission = openAdmission({}, ['file', 'first', 'second'])
  admission.declare({ listeners: { orders: { address, backend: 'b@second' } } })

  const waiting = admission.declare({ backends: { b } }, 'r1', 'first')
  const found = admission.declare({ backends: { b: c } }, 'r1', 'second')

  assert.deepEqual(inForce(waiting), [])
  assert.deepEqual(inForce(found), ['orders 3213 -> b@second'])
  assert.equal(found.snapshot.backends.get('b@second')?.servers[0]?.port, 5002)
})

test('a redirect to https names the port of the https listener, and follows it', (t) => {
  const { cert, key } = createAuthority(t).issue('a.example')
  const secure = (port: number, more: object = {}): object => {
    const tls = { certificates: [{ cert, key }] }
    return { address: `127.0.0.1:${port}`, protocol: 'https', tls, ...more }
  }
  const web = { address: '127.0.0.1:80', redirect: 'https' }
  const admission = openAdmission()
  const portWith = (listeners: object): unknown => {
    const { snapshot } = admission.declare({ backends: { b }, listeners: { web, ...listeners } })
    return snapshot.listeners.get('web')?.redirect?.port
  }

  assert.equal(portWith({}), 443)
  assert.equal(portWith({ one: secure(8443) }), 8443)
  assert.equal(portWith({ one: secure(8443), two: secure(443) }), 443)
  assert.equal(portWith({ one: secure(9443, { backend: 'b' }), two: secure(8443) }), 8443)
  assert.equal(portWith({ one: secure(8443), web: { ...web, redirect: { port: 444 } } }), 444)
  const proxyProtocol = { trusted: ['127.0.0.1'] }
  const pp = secure(7443, { proxyProtocol })
  assert.equal(portWith({ a: secure(9443), pp, z: secure(8443) }), 8443)
  const elsewhere = secure(5443, { address: '127.0.0.2:5443' })
  assert.equal(portWith({ a: elsewhere, pp, z: secure(8443) }), 8443)
  assert.equal(portWith({ a: elsewhere, pp: secure(443, { proxyProtocol }) }), 5443)
  assert.equal(portWith({ pp }), 7443)
  // Another listener holds its address.
  assert.equal(portWith({ one: secure(80) }), 443)
  assert.equal(portWith({}), 443)
})
