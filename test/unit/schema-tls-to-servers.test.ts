// facts/vulcand.md 2.3 and 2.4: what a backend may declare of TLS and keep-alive towards its servers.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseHost } from '../../src/schema/host-certificate.ts'
import { parseBackend, parseListener } from '../../src/schema/objects.ts'

function flawsOf(backend: object): readonly string[] {
  const parsed = parseBackend('b', { servers: {}, ...backend }, () => '')
  return parsed.ok ? [] : parsed.problems.map(({ message }) => message)
}

test('reads versions, suites by either name, and whether sessions are resumed', () => {
  const parsed = parseBackend(
    'b',
    {
      tls: {
        maxVersion: 'TLSv1.2',
        ciphers: ['TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA', 'ECDHE-ECDSA-AES128-GCM-SHA256'],
        tickets: false,
      },
      keepAlive: { period: '90s' },
      servers: {},
    },
    () => '',
  )

  assert.ok(parsed.ok)
  const { tls, keepAliveMs } = parsed.value
  assert.deepEqual(tls, {
    verify: true,
    ca: null,
    serverName: null,
    minVersion: 'TLSv1.2',
    maxVersion: 'TLSv1.2',
    ciphers: ['ECDHE-RSA-AES128-SHA', 'ECDHE-ECDSA-AES128-GCM-SHA256'],
    tickets: false,
  })
  assert.equal(keepAliveMs, 90_000)
})

const REFUSED: readonly (readonly [backend: object, flaw: RegExp])[] = [
  [
    { tls: { minVersion: 'TLSv1.3', maxVersion: 'TLSv1.2' } },
    /^tls\.minVersion: TLSv1\.3 is above/,
  ],
  [{ tls: { minVersion: 'TLSv1.1' } }, /^tls\.minVersion: /],
  [
    { tls: { ciphers: ['RC4-SHA'] } },
    /^tls\.ciphers(?:\.0)?: "RC4-SHA" is no cipher suite that is secure/,
  ],
  [
    { tls: { ciphers: ['TLS_AES_128_GCM_SHA256'] } },
    /^tls\.ciphers: has no cipher suite of TLS 1\.2/,
  ],
  [{ tls: { ciphers: [] } }, /^tls\.ciphers: has no cipher suite of TLS 1\.2/],
  [
    { tls: { minVersion: 'TLSv1.3', ciphers: ['ECDHE-RSA-AES128-SHA'] } },
    /^tls\.ciphers: has no cipher suite of TLS 1\.3, the only version/,
  ],
  [{ tls: { profile: 'modern' } }, /unknown key "profile"/],
  [{ tls: { tickets: 'no' } }, /^tls\.tickets: /],
  [{ keepAlive: { period: '10h' } }, /^keepAlive\.period: must be from 0s to 9h/],
  [{ keepAlive: { period: '-1s' } }, /^keepAlive\.period: must be a duration/],
]

for (const [backend, flaw] of REFUSED) {
  test(`refuses ${JSON.stringify(backend)} of a backend at its place`, () => {
    const flaws = flawsOf(backend)

    assert.equal(flaws.length, 1, flaws.join('\n'))
    assert.match(flaws[0] ?? '', flaw)
  })
}

test('suites of TLS 1.2 where a listener or a host speaks 1.3 alone are refused', () => {
  const old = ['ECDHE-RSA-AES128-GCM-SHA256']
  const flaw = /^tls\.ciphers: has no cipher suite of TLS 1\.3, the only version/
  for (const tls of [
    { minVersion: 'TLSv1.3', ciphers: old },
    { profile: 'modern', ciphers: old },
  ]) {
    const listener = parseListener('l', { address: ':443', protocol: 'https', tls }, () => '')
    const host = parseHost('a.test', { names: ['a.test'], tls }, () => '')
    for (const parsed of [listener, host]) {
      assert.match(parsed.ok ? '' : (parsed.problems[0]?.message ?? ''), flaw)
    }
  }
  const mixed = { minVersion: 'TLSv1.3', ciphers: ['TLS_AES_256_GCM_SHA384', ...old] }
  assert.ok(parseHost('a.test', { names: ['a.test'], tls: mixed }, () => '').ok)
})
