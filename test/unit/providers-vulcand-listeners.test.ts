/** vulcand's listeners and hosts: what of them is translated, remarked on and refused. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMirror } from '../../src/providers/registry/mirror.ts'
import type { DeclaredObject } from '../../src/providers/provider.ts'
import { createLayout } from '../support/layouts.ts'

interface Case {
  readonly title: string
  readonly path: string
  readonly json: unknown
  readonly value: unknown
  readonly remarks?: readonly string[]
}

const CASES: readonly Case[] = [
  {
    title: 'a listener on a unix socket',
    path: 'listeners/l1',
    json: { Protocol: 'http', Address: { Network: 'UNIX', Address: '/run/web.sock' } },
    value: { address: 'unix:/run/web.sock', protocol: 'http' },
  },
  {
    title: 'a listener without TLS that has a TLS block',
    path: 'listeners/l1',
    json: {
      Protocol: 'http',
      Address: { Network: 'tcp', Address: ':80' },
      Settings: { TLS: { MinVersion: 'none' } },
    },
    value: { address: ':80', protocol: 'http' },
    remarks: ['Settings.TLS has no effect: the Protocol is http'],
  },
  ...(
    [
      ['that vctl writes by itself', 'VersionTLS10', 'VersionTLS12', null],
      ['of the newest one on', 'VersionTLS13', 'VersionTLS13', { minVersion: 'TLSv1.3' }],
      ['of the newest one on, alone', 'VersionTLS13', '', { minVersion: 'TLSv1.3' }],
      ['up to the newest one', 'VersionTLS12', 'VersionTLS13', null],
      [
        'of one kind',
        'VersionTLS12',
        'VersionTLS12',
        { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' },
      ],
    ] as const
  ).map(([what, MinVersion, MaxVersion, tls]): Case => ({
    title: `a listener with versions ${what}`,
    path: 'listeners/l1',
    json: {
      Protocol: 'https',
      Address: { Network: 'tcp', Address: ':443' },
      Settings: { TLS: { MinVersion, MaxVersion } },
    },
    value: { address: ':443', protocol: 'https', ...(tls === null ? {} : { tls }) },
  })),
]

for (const { title, path, json, value, remarks } of CASES) {
  test(`${title} is read`, () => {
    const object = read(path, JSON.stringify(json))

    assert.equal(object?.fault, undefined)
    assert.deepEqual(object?.value, value)
    assert.deepEqual(object?.remarks ?? [], remarks ?? [])
  })
}

const FAULTS: readonly (readonly [path: string, text: string, fault: string])[] = [
  [
    'listeners/l',
    '{"Protocol":"https","Address":{"Network":"tcp","Address":":1"},"Settings":{"TLS":{"MinVersion":"VersionTLS13","MaxVersion":"VersionTLS12"}}}',
    'Settings.TLS.MinVersion: VersionTLS13 is above MaxVersion VersionTLS12',
  ],
  [
    'listeners/l',
    '{"Protocol":"https","Address":{"Network":"tcp","Address":":1"},"Settings":{"TLS":{"CipherSuites":["TLS_FAST"]}}}',
    'Settings.TLS.CipherSuites: "TLS_FAST" is no cipher suite by its name in Go, such as TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256',
  ],
  [
    'hosts/h/host',
    '{"Settings":{"AutoCert":{"Email":"x"}}}',
    'Settings.AutoCert is not honoured: declare acme, which orders the names of routes',
  ],
]

for (const [path, text, fault] of FAULTS) {
  test(`${path} with ${text} is set aside: ${fault}`, () => {
    const object = read(path, text)

    assert.equal(object?.fault, fault)
    assert.equal(object.value, undefined)
  })
}

function read(path: string, text: string): DeclaredObject | undefined {
  const mirror = createMirror(createLayout('vulcand', { sealKey: null }))
  mirror.replace([{ path, key: `/vulcand/${path}`, text }])
  return [...mirror.declare({ revision: '', listed: 'first', changedAt: 0 }).objects][0]
}
