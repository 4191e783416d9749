/** What a registry may hold under keys of its own: hosts, servers, middlewares; and labels, which most objects can have. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseHost } from '../../src/schema/host-certificate.ts'
import { parseMiddlewarePart } from '../../src/schema/middleware-part.ts'
import { parseBackend, parseFrontend, parseListener } from '../../src/schema/objects.ts'
import { parseServer } from '../../src/schema/server.ts'
import { createAuthority } from '../support/certificates.ts'
import { messagesOf, noFile, readFile, valueOf } from '../support/parsed.ts'

test('a host is a certificate, as text or by path', (t) => {
  const { certPath, keyPath, cert, key } = createAuthority(t).issue('vote.localhost')

  assert.deepEqual(valueOf(parseHost('vote.localhost', { cert, key }, noFile)), {
    id: 'vote.localhost',
    certificate: { cert, key },
    tls: null,
    isDefault: false,
  })
  assert.deepEqual(
    valueOf(parseHost('*.localhost', { cert: certPath, key: keyPath, default: true }, readFile)),
    { id: '*.localhost', certificate: { cert, key }, tls: null, isDefault: true },
  )
})

test('a listener takes its certificates as text, too', (t) => {
  const { cert, key } = createAuthority(t).issue('vote.localhost')
  const tls = { certificates: [{ cert: `\n${cert}`, key }] }

  const listener = valueOf(
    parseListener('secure', { address: ':8443', protocol: 'https', tls }, noFile),
  )

  assert.deepEqual(listener.tls?.certificates, [{ cert: `\n${cert}`, key }])
})

test('a backend takes its authorities as text, too', (t) => {
  const { cert } = createAuthority(t)

  assert.equal(valueOf(parseBackend('vote', { tls: { ca: cert } }, noFile)).tls.ca, cert)
})

test('says what is wrong with a host, and never shows a key', (t) => {
  const authority = createAuthority(t)
  const [one, other] = [authority.issue('a.localhost'), authority.issue('b.localhost')]
  const parse = (value: unknown, id = 'a'): readonly string[] =>
    messagesOf(parseHost(id, value, noFile))

  assert.deepEqual(parse(null), ['must be a map, not nothing'])
  assert.deepEqual(parse({ cert: one.cert }), ['key: is missing'])
  assert.deepEqual(parse({ cert: one.cert, key: 'a.key' }), [
    'key: cannot read "a.key": there is no such file',
  ])
  assert.deepEqual(parse({ cert: one.cert, key: other.key }), [
    'the key does not belong to the certificate',
  ])
  const swapped = parse({ cert: one.key, key: one.cert })
  assert.match(swapped[0] ?? '', /^cert: is not usable PEM: /)
  assert.match(swapped[1] ?? '', /^key: is not usable PEM: /)
  assert.doesNotMatch(swapped.join(), /BEGIN|MII/)
  assert.deepEqual(parse({ cert: one.cert, key: one.key, defualt: true }), [
    'unknown key "defualt", did you mean "default"?',
  ])
  assert.deepEqual(parse({ cert: 'x'.repeat(262_145), key: 'k' }), [
    'cert: must be 1 to 262144 characters long, not 262145',
  ])
  assert.match(parse({}, '**.a')[0] ?? '', /^the id must be /)
  assert.match(parse({}, 'a/b')[0] ?? '', /^the id must be /)
})

test('a server is a url, or a map with its weight and labels', () => {
  const server = {
    id: 's1',
    url: 'http://10.0.0.1:80',
    scheme: 'http',
    host: '10.0.0.1',
    port: 80,
    weight: 1,
    backup: false,
    drain: false,
    labels: null,
  }

  assert.deepEqual(valueOf(parseServer('s1', 'http://10.0.0.1')), server)
  assert.deepEqual(
    valueOf(parseServer('s1', { url: 'http://10.0.0.1', backup: true, drain: true })),
    { ...server, backup: true, drain: true },
  )
  assert.deepEqual(
    valueOf(parseServer('s1', { url: 'http://10.0.0.1:80', weight: 2, labels: { zone: 'a' } })),
    { ...server, weight: 2, labels: { zone: 'a' } },
  )
})

test('says what is wrong with a server', () => {
  const parse = (value: unknown, id = 's1'): readonly string[] => messagesOf(parseServer(id, value))

  assert.deepEqual(parse(null), ['must be a url, not nothing; write it as http://10.0.0.7:8080'])
  assert.deepEqual(parse(undefined), ['is missing'])
  assert.deepEqual(parse({}), ['url: is missing'])
  assert.deepEqual(parse({ url: 'http://h', wieght: 2 }), [
    'wieght: unknown key "wieght", did you mean "weight"?',
  ])
  assert.deepEqual(parse({ url: 'http://h', weight: '2' }), [
    'weight: must be a whole number from 1 to 1000, not "2"',
  ])
  assert.deepEqual(parse({ url: 'http://h', backup: 'yes' }), [
    'backup: must be true or false, not "yes"',
  ])
  assert.deepEqual(parse({ url: 'http://h', drain: 1 }), ['drain: must be true or false, not 1'])
  assert.deepEqual(parse({ url: 'http://h', labels: [] }), [
    'labels: must be a map of names to texts, not a list',
  ])
  assert.deepEqual(parse('http://169.254.169.254'), [
    'a server cannot be at "169.254.169.254": it is a link-local address',
  ])
  assert.match(parse('http://h', 'vote/s1')[0] ?? '', /^the id must be /)
})

test('a middleware has a kind, a priority and options', () => {
  assert.deepEqual(
    valueOf(parseMiddlewarePart('m', { kind: 'redirect', priority: -2, to: '/', status: 301 })),
    {
      spec: { kind: 'redirect', options: { to: '/', status: 301, keepPath: false } },
      priority: -2,
    },
  )
  assert.deepEqual(valueOf(parseMiddlewarePart('m', { kind: 'bodylimit', size: '1k' })), {
    spec: { kind: 'bodylimit', options: { size: 1024 } },
    priority: 0,
  })
})

test('says what is wrong with a middleware', () => {
  const parse = (value: unknown, id = 'm'): readonly string[] =>
    messagesOf(parseMiddlewarePart(id, value))

  assert.deepEqual(parse('headers'), ['must be a map of options, not "headers"'])
  assert.deepEqual(parse({ to: '/' }), ['needs a kind'])
  assert.deepEqual(parse({ kind: 1 }), ['needs a kind'])
  assert.deepEqual(parse({ kind: 'headers', priority: 1.5 }), [
    'priority: must be a whole number from -1000000000 to 1000000000, not 1.5',
  ])
  assert.deepEqual(parse(JSON.parse('{"kind": "headers", "a": {"__proto__": 1}}')), [
    'the key "__proto__" is reserved',
  ])
  assert.deepEqual(parse({ kind: 'bodylimit', sise: 1 }), [
    'size: is missing',
    'unknown key "sise", did you mean "size"?',
  ])
  assert.match(parse({ kind: 'headers' }, 'vote/m')[0] ?? '', /^the id must be /)
})

test('backends, frontends and servers carry labels', () => {
  const labels = { team: 'shop', 'example.com/note': '' }
  const servers = { s1: { url: 'http://a', labels } }

  const backend = valueOf(parseBackend('b', { servers, labels }, noFile))
  const frontend = valueOf(parseFrontend('f', { route: 'Path("/")', backend: 'b', labels }))

  assert.deepEqual(backend.labels, labels)
  assert.deepEqual(backend.servers[0]?.labels, labels)
  assert.deepEqual(frontend.labels, labels)
  assert.equal(valueOf(parseBackend('b', { labels: {} }, noFile)).labels, null)
})

test('labels are few and short', () => {
  const many = Object.fromEntries(Array.from({ length: 33 }, (_, at) => [`l${at}`, '']))
  const parse = (labels: unknown): readonly string[] =>
    messagesOf(parseFrontend('f', { route: 'Path("/")', backend: 'b', labels }))

  assert.deepEqual(parse(many), ['labels: must hold at most 32 labels, not 33'])
  assert.deepEqual(parse({ a: 1 }), ['labels: "a" must be text, not 1'])
  assert.deepEqual(parse({ a: 'x'.repeat(257) }), [
    'labels: "a" must be at most 256 characters long, not 257',
  ])
  assert.deepEqual(parse({ ['n'.repeat(129)]: '' }), [
    'labels: a name must be 1 to 128 characters long, not 129',
  ])
  assert.deepEqual(parse(JSON.parse('{"__proto__": "x"}')), [
    'labels: the name "__proto__" is reserved',
  ])
  assert.deepEqual(parse(null), ['labels: must be a map of names to texts, not nothing'])
})
