// Servers, middlewares and hosts under names of their own, as registries hold them.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createAuthority } from '../support/certificates.ts'
import { backend, openAdmission } from '../support/declared.ts'
import type { Admitted, Sections } from '../support/declared.ts'

const route = 'Host("vote")'
const f = { route, backend: 'b' }
const a = 'http://10.0.0.1:80'
const c = 'http://10.0.0.3:80'

function urls({ snapshot }: Admitted, id = 'b'): string[] | undefined {
  return snapshot.backends.get(id)?.servers.map(({ url }) => url)
}

function reasons({ setAside }: Admitted): string[] {
  return setAside.map(({ kind, id, message, serving }) => {
    return `${kind} ${id}: ${message}${serving ? ' (serving)' : ''}`
  })
}

test('adds servers to those that stand in their backend', () => {
  const admitted = openAdmission().declare({
    backends: { b: backend(a) },
    servers: { 'b/x': { url: c, weight: 3 } },
  })

  assert.deepEqual(urls(admitted), [a, c])
  assert.equal(admitted.snapshot.backends.get('b')?.servers[1]?.weight, 3)
})

test('takes a server alone for a backend with defaults', () => {
  const admitted = openAdmission().declare({ frontends: { f }, servers: { 'b/x': a } })

  assert.deepEqual(urls(admitted), [a])
  assert.equal(admitted.snapshot.frontends.get('f')?.backend, 'b')
  assert.deepEqual(reasons(admitted), [])
})

test('leaves a backend without servers in force when its last server goes, so that requests get 503', () => {
  const admission = openAdmission()
  admission.declare({ frontends: { f }, servers: { 'b/x': a } })

  const gone = admission.declare({ frontends: { f } })
  const back = admission.declare({ frontends: { f }, servers: { 'b/x': a } })
  const released = admission.declare({})

  assert.deepEqual(urls(gone), [])
  assert.ok(gone.snapshot.frontends.has('f'))
  assert.deepEqual(reasons(gone), ['frontend f: backend: "b" is not declared (serving)'])
  assert.deepEqual(urls(back), [a])
  assert.deepEqual(reasons(back), [])
  assert.equal(released.snapshot.backends.size, 0)
})

test('sets a bad server aside alone, and its last good version serves', () => {
  const admission = openAdmission()
  admission.declare({ backends: { b: {} }, servers: { 'b/x': a, 'b/y': c } })

  const admitted = admission.declare({
    backends: { b: {} },
    servers: { 'b/x': 'ftp://10.0.0.1', 'b/y': c, 'b/z': 7 },
  })

  assert.deepEqual(urls(admitted), [a, c])
  assert.match(reasons(admitted).join('\n'), /^server b\/x: .*"ftp" \(serving\)\nserver b\/z: .+$/)
})

test('lets a server be known by one name only', () => {
  const admitted = openAdmission().declare({
    backends: { b: backend(a) },
    servers: { 'b/x': a, 'b/y': c },
  })

  assert.deepEqual(urls(admitted), [a, c])
  assert.deepEqual(reasons(admitted), [`server b/x: "${a}" is already the server "s1"`])
})

test('refuses a server that leads back to us, and takes the others of its backend', () => {
  const admitted = openAdmission().declare({
    listeners: { web: { address: ':8080' } },
    servers: { 'b/x': 'http://127.0.0.1:8080', 'b/y': c },
  })

  assert.deepEqual(urls(admitted), [c])
  assert.match(reasons(admitted).join(), /^server b\/x: url: .* would come back to the proxy$/)
})

test('heals what a listener took out as soon as the listener is gone', () => {
  const admission = openAdmission()
  const servers = { 'b/x': 'http://127.0.0.1:8080' }
  const listeners = { web: { address: ':8080' } }

  const taken = admission.declare({ listeners, servers })
  const healed = admission.declare({ servers })

  assert.deepEqual(urls(taken), [])
  assert.deepEqual(urls(healed), ['http://127.0.0.1:8080'])
})

test('gives the servers of a backend whose settings are deleted a backend with defaults', () => {
  const admission = openAdmission()
  admission.declare({ backends: { b: { balance: 'least-connections' } }, servers: { 'b/x': a } })

  const admitted = admission.declare({ servers: { 'b/x': a } })

  assert.equal(admitted.snapshot.backends.get('b')?.balance, 'round-robin')
  assert.deepEqual(urls(admitted), [a])
})

const set = (value: string): object => ({ kind: 'headers', request: { set: { 'X-Mark': value } } })

function marks({ snapshot }: Admitted): string[] {
  const chain = snapshot.frontends.get('f')?.middlewares ?? []
  return chain.map(({ kind, options }) => `${kind} ${JSON.stringify(options)}`)
}

test('puts middlewares around a frontend by priority, and what answers innermost', () => {
  const admitted = openAdmission().declare({
    frontends: {
      f: { route, headers: { request: { set: { 'X-Own': '1' } } }, respond: { status: 204 } },
    },
    middlewares: {
      'f/late': { ...set('late'), priority: 5 },
      'f/early': { ...set('early'), priority: 1 },
    },
  })

  assert.deepEqual(
    marks(admitted).map((text) => /X-Own|early|late|respond/.exec(text)?.[0]),
    ['X-Own', 'early', 'late', 'respond'],
  )
})

test('sets a bad middleware aside alone, and its last good version stays around the frontend', () => {
  const admission = openAdmission()
  const frontends = { f: { route, respond: { status: 204 } } }
  const good = admission.declare({ frontends, middlewares: { 'f/m': set('one') } })

  const admitted = admission.declare({
    frontends,
    middlewares: { 'f/m': { kind: 'headers', request: 7 }, 'f/n': { kind: 'teapot' } },
  })

  assert.deepEqual(marks(admitted), marks(good))
  assert.match(reasons(admitted).join('\n'), /middleware f\/m: .+ \(serving\)/)
  assert.match(reasons(admitted).join('\n'), /middleware f\/n: there is no middleware "teapot"/)
})

test('says that a middleware waits for its frontend, and no more when that comes', () => {
  const admission = openAdmission()
  const middlewares = { 'f/m': set('one') }

  const orphan = admission.declare({ middlewares })
  const whole = admission.declare({
    middlewares,
    frontends: { f: { route, respond: { status: 204 } } },
  })

  assert.deepEqual(reasons(orphan), ['middleware f/m: waits for its frontend: "f" is not declared'])
  assert.deepEqual(reasons(whole), [])
  assert.equal(marks(whole).length, 2)
})

test('serves the certificates of hosts on every https listener, the default one first', (t) => {
  const authority = createAuthority(t)
  const pem = (name: string): { cert: string; key: string } => {
    const { cert, key } = authority.issue(name)
    return { cert, key }
  }
  const [one, two] = [pem('one.test'), pem('two.test')]
  const admission = openAdmission()
  const listeners = { secure: { address: ':8443', protocol: 'https' } }

  const without = admission.declare({ listeners })
  const admitted = admission.declare({
    listeners,
    hosts: { 'one.test': one, 'two.test': { ...two, default: true }, bad: { cert: 'x', key: 'y' } },
  })

  assert.equal(without.snapshot.listeners.size, 0)
  assert.match(reasons(without).join(), /listener secure: protocol: TLS needs at least one/)
  assert.deepEqual(
    admitted.snapshot.listeners.get('secure')?.tls?.certificates.map(({ cert }) => cert),
    [two.cert, one.cert],
  )
  assert.match(reasons(admitted).join(), /^host bad: /)
})

test('sets aside what its source could not even read, with the reason of the source', () => {
  const admission = openAdmission()
  const object = { kind: 'frontend', id: 'f', key: '/sluice/frontends/f/frontend' } as const
  const merge = {
    find: () => ({
      id: 'f',
      source: 'etcd',
      declared: { ...object, value: undefined, fault: 'is not JSON' },
    }),
    backendOf: (_source: string, name: string) => name,
    precedence: () => 0,
  }

  admission.admit({ names: [object], merge, locate: () => undefined, revision: () => '7' })

  assert.deepEqual(
    admission
      .setAside()
      .map(({ kind, id, source, key, message }) => [kind, id, source, key, message]),
    [['frontend', 'f', 'etcd', '/sluice/frontends/f/frontend', 'is not JSON']],
  )
})

const id = fc.constantFrom('a', 'b')
const part = fc.tuple(id, fc.constantFrom('x', 'y')).map((parts) => parts.join('/'))
const sections: fc.Arbitrary<Sections> = fc.record({
  listeners: fc.dictionary(id, fc.constantFrom({ address: ':8080' }, { address: ':8081' }), {
    maxKeys: 2,
  }),
  backends: fc.dictionary(id, fc.constantFrom({}, backend(a), { servers: 7 }), { maxKeys: 2 }),
  servers: fc.dictionary(part, fc.constantFrom(a, c, 'http://127.0.0.1:8080'), { maxKeys: 3 }),
  frontends: fc.dictionary(id, fc.constantFrom(f, { route, backend: 'a' }, { route: '(' }), {
    maxKeys: 2,
  }),
  middlewares: fc.dictionary(part, fc.constantFrom(set('1'), set('2'), {}), { maxKeys: 2 }),
})

// Last good versions and who came first make history matter; what is whole and came at once does not.
test('admits the same whole set whatever was declared before it, once that is gone', () => {
  fc.assert(
    fc.property(fc.array(sections, { maxLength: 5 }), sections, (before, last) => {
      const used = openAdmission()
      for (const declared of before) used.declare(declared)
      used.declare({})
      const after = used.declare(last)
      const fresh = openAdmission().declare(last)

      const plain = ({ snapshot, setAside }: Admitted): unknown => ({
        listeners: [...snapshot.listeners].sort(byId),
        backends: [...snapshot.backends].sort(byId),
        frontends: [...snapshot.frontends].sort(byId),
        setAside: setAside.map(({ kind, id, message }) => `${kind} ${id} ${message}`).sort(),
      })
      assert.deepEqual(plain(after), plain(fresh))
    }),
    { numRuns: 300 },
  )
})

function byId([left]: readonly [string, unknown], [right]: readonly [string, unknown]): number {
  return left < right ? -1 : 1
}
