// Which names get certificates.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { refuseName } from '../../src/acme/names/signable.ts'
import { followNames, type NameFollower } from '../../src/acme/names/wanted-names.ts'
import type { AcmeSettings } from '../../src/model/acme-settings.ts'
import { acmeSchema } from '../../src/schema/acme.ts'
import { parseFrontend, parseListener } from '../../src/schema/objects.ts'
import { createAuthority } from '../support/certificates.ts'

const NOW = Date.now()
const HOOK = { dns: { hook: ['/bin/true'] } }

function settingsOf(written: object = {}): AcmeSettings {
  return acmeSchema.parse({ agree: true, ...written })
}

function publish(
  names: NameFollower,
  listeners: Readonly<Record<string, object>>,
  routes: Readonly<Record<string, string>> = {},
  gone: readonly string[] = [],
): void {
  names.take({
    upserts: {
      listeners: Object.entries(listeners).map(([id, one]) => {
        const parsed = parseListener(id, { address: ':1', ...one }, () => '')
        assert.ok(parsed.ok, JSON.stringify(parsed))
        return parsed.value
      }),
      frontends: Object.entries(routes).map(([id, route]) => {
        const parsed = parseFrontend(id, { route, respond: { status: 200 } })
        assert.ok(parsed.ok, JSON.stringify(parsed))
        return parsed.value
      }),
    },
    deletes: { listeners: [], frontends: gone },
  })
}

const WEB = { web: { protocol: 'http' } }
const SECURE = { secure: { protocol: 'https' } }

function wantedOf(
  routes: Readonly<Record<string, string>>,
  listeners: Readonly<Record<string, object>> = { ...WEB, ...SECURE },
  written: object = HOOK,
): string[] {
  const names = followNames(settingsOf(written), () => false)
  publish(names, listeners, routes)
  return [...names.names(NOW).wanted].sort()
}

test('wants the hosts of routes that an https listener may serve', () => {
  const routes = {
    one: 'Host("a.net") && Path("/x")',
    two: '(Host("b.net", "C.net") || Host("d.net")) && Method("GET")',
    not: 'Host("e.net") && !Host("e.net")',
    other: '!Host("f.net")',
    web: 'Host("g.net") && Listener("web")',
    secure: 'Host("h.net") && Listener("secure")',
    wild: 'Host("*.i.net")',
    labels: 'Host("**.j.net")',
    regexp: 'HostRegexp(".*[.]k[.]net")',
  }

  assert.deepEqual(wantedOf(routes), [
    ...['*.i.net', '*.j.net', 'a.net', 'b.net', 'c.net', 'd.net', 'h.net'],
  ])
  assert.deepEqual(wantedOf(routes, WEB), [])
  assert.deepEqual(
    wantedOf(routes, { secure: { protocol: 'https', scope: 'Host("a.net") || Host("*.i.net")' } }),
    ['*.i.net', 'a.net'],
  )
  assert.deepEqual(wantedOf(routes, { secure: { protocol: 'https', backend: 'b' } }), [])
})

test('follows routes as they come and go, and what the settings add and leave out', () => {
  const written = { names: { list: ['extra.net'], exclude: ['*.private.net', 'b.net'] } }
  const names = followNames(settingsOf(written), () => false)
  publish(names, { ...WEB, ...SECURE }, { a: 'Host("a.net")', b: 'Host("b.net")' })
  const first = [...names.names(NOW).wanted].sort()

  publish(names, {}, { a: 'Host("c.net")', x: 'Host("x.private.net")' }, ['b'])
  const second = [...names.names(NOW).wanted].sort()

  assert.deepEqual(
    [first, second],
    [
      ['a.net', 'extra.net'],
      ['c.net', 'extra.net'],
    ],
  )
  assert.equal(names.hasHttpListener, true)
})

test("leaves out what the operator's certificates cover, until they end", (t) => {
  const authority = createAuthority(t)
  const pair = ({ cert, key }: { cert: string; key: string }): object => ({ cert, key })
  const own = authority.issue('own.net')
  const tls = {
    certificates: [pair(authority.issue('a.net', '*.b.net')), pair(own)],
  }
  const names = followNames(settingsOf(), (cert) => cert === own.cert)
  const routes = { all: 'Host("a.net", "x.b.net", "x.y.b.net", "own.net")' }

  publish(names, { secure: { protocol: 'https', tls } }, routes)
  const now = [...names.names(NOW).wanted].sort()
  const later = [...names.names(NOW + 40 * 86_400_000).wanted].sort()
  publish(names, { second: { protocol: 'https' } })
  const onBoth = [...names.names(NOW).wanted].sort()

  assert.deepEqual(now, ['own.net', 'x.y.b.net'])
  assert.deepEqual(later, ['a.net', 'own.net', 'x.b.net', 'x.y.b.net'])
  assert.deepEqual(onBoth, later)
})

test('says why no issuer signs a name, and tries all of them with an issuer of your own', () => {
  const pub = settingsOf()
  const own = settingsOf({ issuers: [{ directory: 'https://ca.internal/dir' }] })
  const short = settingsOf({ issuers: [{ profile: 'shortlived' }] })
  for (const [name, reason] of [
    ['vote', /one label/],
    ['vote.localhost', /\.localhost/],
    ['db.internal', /\.internal/],
    ['10.0.0.7', /private network/],
    ['::1', /private network/],
    ['8.8.8.8', /profile/],
    ['*.vote.net', /dns-01/],
    ['my_app.vote.net', /letters, digits and hyphens/],
  ] as const) {
    assert.match(refuseName(name, pub) ?? '', reason, name)
  }
  assert.equal(refuseName('vote.net', pub), null)
  assert.equal(refuseName('8.8.8.8', short), null)
  assert.equal(refuseName('*.vote.net', settingsOf(HOOK)), null)
  for (const name of ['vote', 'db.internal', '10.0.0.7']) assert.equal(refuseName(name, own), null)
})
