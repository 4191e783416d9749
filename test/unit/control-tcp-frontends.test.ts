// Frontends with `protocol: tcp`: what is admitted, what is refused with its reason, and what `sluice check` finds.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkDocument } from '../../src/control/review/check-document.ts'
import { parseDocument } from '../../src/document/document.ts'
import { createAuthority } from '../support/certificates.ts'
import { openAdmission } from '../support/declared.ts'

const BACKENDS = { db: { servers: { s: 'tcp://10.0.0.1:5432' } } }
const TCP = { db: { address: ':5432', protocol: 'tcp' } }
const DB = { protocol: 'tcp', route: 'HostSNI("db.example")', backend: 'db' }

/** `kind id: message` of each diagnostic. */
function check(frontends: object, listeners: object = TCP): readonly string[] {
  const text = JSON.stringify({ listeners, backends: BACKENDS, frontends })
  const document = parseDocument(text, 'site.json')
  assert.ok(document.readable)
  return checkDocument('site.json', document).map(
    ({ kind, id, message }) => `${kind} ${id}: ${message}`,
  )
}

test('admits a tcp frontend with a backend, a priority, timeouts and connect attempts', () => {
  const whole = {
    ...DB,
    priority: 5,
    timeouts: { connect: '1s', handshake: '2s', tunnel: '10m' },
    retry: { attempts: 3 },
    labels: { team: 'data' },
  }

  assert.deepEqual(check({ whole }), [])
})

const REFUSED: readonly [frontend: object, message: RegExp][] = [
  [{ ...DB, backend: undefined }, /a tcp frontend needs a backend/],
  [{ ...DB, backend: undefined, respond: { status: 200 } }, /respond: is for requests/],
  [{ ...DB, ratelimit: { requests: 5 } }, /ratelimit: is for requests, which a tcp frontend does/],
  [{ ...DB, middlewares: [] }, /middlewares: is for requests/],
  [{ ...DB, paths: 'reject' }, /paths: is for requests/],
  [{ ...DB, passHost: false }, /passHost: is for requests/],
  [{ ...DB, timeouts: { firstByte: '1s' } }, /timeouts: .*connect, handshake and tunnel/],
  [{ ...DB, retry: { when: 'IsNetworkError()' } }, /retry: .*attempts only/],
  [{ ...DB, retry: { attempts: 2, buffer: '1MiB' } }, /retry: .*attempts only/],
  [{ ...DB, route: 'Host("db.example")' }, /route: Host is about requests; .*HostSNI\("name"\)/],
  [{ ...DB, protocol: 'http' }, /route: HostSNI routes connections, which needs "protocol: tcp"/],
  [{ ...DB, route: 'HostSNI("a") && HostSNI("b")' }, /route: can never hold/],
]

for (const [frontend, message] of REFUSED) {
  test(`refuses ${JSON.stringify(frontend)}`, () => {
    const found = check({ it: frontend })

    assert.ok(
      found.some((one) => message.test(one)),
      found.join('\n'),
    )
  })
}

test('says everything that is wrong with a tcp frontend at once', () => {
  const frontends = { it: { protocol: 'tcp', route: 'Host("a")', paths: 'reject' } }

  const found = check(frontends).filter((one) => one.startsWith('frontend'))

  assert.equal(found.length, 3, found.join('\n'))
})

test('finds duplicate and shadowed routes among tcp frontends, apart from those of requests', () => {
  const any = { ...DB, route: 'HostSNI("*")', priority: 1 }
  const same = { ...DB, route: 'HostSNI(`DB.example.`)' }
  const listeners = { ...TCP, web: { address: ':80' } }
  const web = { route: 'Listener("web")', backend: 'db' }

  assert.deepEqual(check({ db: DB, same, web }, listeners), [
    'frontend same: route: says the same as that of frontend "db", which takes all of its connections, by its id, as all else is equal',
  ])
  assert.deepEqual(check({ db: DB, any, web }, listeners), [
    'frontend db: route: is never reached: frontend "any" takes all of its connections first, by priority 1 over 0',
  ])
})

test('warns of a tcp frontend that no listener can serve', (t) => {
  const any = { ...DB, route: 'HostSNI("*")' }
  const { cert, key } = createAuthority(t).issue('web.example')
  const tls = { certificates: [{ cert, key }] }
  const https = { protocol: 'https', address: ':443', tls }
  const direct = { db: { address: ':5432', protocol: 'tcp', backend: 'db' } }
  const nowhere = (found: readonly string[]): readonly string[] =>
    found.filter((one) => one.includes('is served by no listener'))

  assert.equal(nowhere(check({ db: DB }, { web: { address: ':80' } })).length, 1)
  assert.equal(nowhere(check({ db: DB }, direct)).length, 1)
  assert.equal(nowhere(check({ any }, TCP)).length, 0)
  assert.equal(nowhere(check({ db: DB }, { web: https })).length, 0)
  assert.equal(nowhere(check({ any }, { web: https })).length, 1)
  const named = { ...DB, route: 'HostSNI("*") && Listener("web")' }
  assert.equal(nowhere(check({ named }, { web: https })).length, 0)
})

test('warns of listeners that serve another protocol than the route that names them', () => {
  const listeners = { ...TCP, web: { address: ':80' } }
  const tcp = { ...DB, route: 'HostSNI("a") && (Listener("web") || Listener("db"))' }
  const http = { route: 'Host("a") && Listener("db")', backend: 'db' }

  assert.deepEqual(check({ http, tcp }, listeners), [
    'frontend http: route: names the listener "db", which has protocol tcp and serves no requests',
    'frontend tcp: route: names the listener "web", which has protocol http: tcp frontends are served by listeners with protocol tcp or https',
  ])
})

test('sets a middleware with a key of its own aside from a tcp frontend', () => {
  const admission = openAdmission()

  const { snapshot, setAside } = admission.declare({
    backends: BACKENDS,
    frontends: { db: DB },
    middlewares: { 'db/limit': { kind: 'ratelimit', requests: 5 } },
  })

  assert.deepEqual(snapshot.frontends.get('db')?.middlewares, [])
  assert.deepEqual(
    setAside.map(({ id, message }) => `${id}: ${message}`),
    ['db/limit: is for requests, which the tcp frontend "db" does not read'],
  )
})
