/** TLS options of several hosts for one name: which ones serve, and that the others are named. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { InForce } from '../../src/control/admission/admit.ts'
import { checkDocument } from '../../src/control/review/check-document.ts'
import { tlsOptionConflicts } from '../../src/control/review/tls-option-conflicts.ts'
import { parseDocument } from '../../src/document/document.ts'
import { createMirror } from '../../src/providers/registry/mirror.ts'
import { createAuthority } from '../support/certificates.ts'
import { openAdmission, type AdmissionUnderTest } from '../support/declared.ts'
import { createLayout } from '../support/layouts.ts'

const WITH_AUTHENTICATION = { clientAuth: { mode: 'require' } }

function secureWith(
  tls: object,
  ...names: readonly string[]
): (t: Parameters<typeof createAuthority>[0]) => object {
  return (t) => {
    const { cert, key } = createAuthority(t).issue(...names)
    const certificates = [{ cert, key }]
    return { address: '127.0.0.1:8443', protocol: 'https', tls: { certificates, ...tls } }
  }
}

const plainTls = secureWith({}, 'a.test')

function warnings(admission: AdmissionUnderTest): string[] {
  const having = [...admission.inForce()].filter(
    (one: InForce) => one.kind === 'listener' || one.kind === 'host',
  )
  return tlsOptionConflicts(having).map(({ object, level, message, path }) => {
    return `${level} ${object.kind} ${object.id} of ${object.source}: ${path.join('.')} ${message}`
  })
}

test('the options with the strictest clientAuth serve a name, and the others are named', (t) => {
  const admission = openAdmission({}, ['file', 'etcd'])

  admission.declare(
    { hosts: { guarded: { names: ['a.test', 'b.test'], tls: WITH_AUTHENTICATION } } },
    'r1',
    'etcd',
  )
  admission.declare({
    listeners: { secure: plainTls(t), other: { ...plainTls(t), address: '127.0.0.1:8444' } },
    hosts: { open: { names: ['a.test', 'b.test', 'c.test'], tls: { profile: 'modern' } } },
  })

  assert.deepEqual(warnings(admission), [
    'warning host open of file: tls its TLS options are not used for a.test, b.test: those of host "guarded" of source "etcd" serve, whose clientAuth is stricter (require, not none); declare one of them',
  ])
})

test('of equally strict options those of the first host serve', (t) => {
  const admission = openAdmission()

  admission.declare({
    listeners: { secure: plainTls(t) },
    hosts: {
      b: { names: ['a.test'], tls: { tickets: false } },
      a: { names: ['a.test'], tls: { profile: 'modern' } },
    },
  })

  assert.deepEqual(warnings(admission), [
    'warning host b of file: tls its TLS options are not used for a.test: those of host "a" serve, which goes first; declare one of them',
  ])
})

test('nothing is said of options that are the same in effect, nor of a name and a wildcard', (t) => {
  const admission = openAdmission()

  admission.declare({
    listeners: { secure: plainTls(t) },
    hosts: {
      a: { names: ['a.test', '*.b.test'], tls: { profile: 'intermediate' } },
      b: { names: ['a.test'], tls: { tickets: true } },
      c: { names: ['a.test'], tls: { profile: 'intermediate' } },
      d: { names: ['x.b.test'], tls: { profile: 'modern' } },
    },
  })

  assert.deepEqual(warnings(admission), [])
})

test("options without clientAuth are as strict as the listener's", (t) => {
  const admission = openAdmission()

  const { snapshot } = admission.declare({
    listeners: { secure: secureWith(WITH_AUTHENTICATION, 'a.test')(t) },
    hosts: {
      asked: { names: ['a.test'], tls: { clientAuth: { mode: 'request' } } },
      modern: { names: ['a.test'], tls: { profile: 'modern' } },
    },
  })

  const [first] = snapshot.listeners.get('secure')?.tls?.hosts ?? []
  assert.equal(first?.options.clientAuth, null)
  assert.deepEqual(warnings(admission), [
    'warning host asked of file: tls its TLS options are not used for a.test: those of host "modern" serve, whose clientAuth is stricter (require, not request); declare one of them',
  ])
})

test('routers of Traefik with different options for one name are named', (t) => {
  const mirror = createMirror(createLayout('traefik', { sealKey: null }))
  const keys = {
    'http/routers/admin/rule': 'Host(`a.test`) && PathPrefix(`/admin`)',
    'http/routers/admin/service': 's',
    'http/routers/admin/tls/options': 'mtls',
    'http/routers/shop/rule': 'Host(`a.test`)',
    'http/routers/shop/service': 's',
    'http/routers/shop/tls/options': 'old',
    'tls/options/mtls/clientAuth/caFiles/0': createAuthority(t).cert,
    'tls/options/mtls/clientAuth/clientAuthType': 'RequireAndVerifyClientCert',
    'tls/options/old/minVersion': 'VersionTLS12',
    'tls/options/old/maxVersion': 'VersionTLS12',
  }
  for (const [path, text] of Object.entries(keys)) mirror.put({ path, key: path, text })
  const { objects } = mirror.declare({ revision: '', listed: 'first', changedAt: 0 })
  const hosts = [...objects].flatMap((one) => (one.kind === 'host' ? [[one.id, one.value]] : []))
  const admission = openAdmission()

  admission.declare({
    listeners: { secure: plainTls(t) },
    hosts: Object.fromEntries(hosts) as Record<string, unknown>,
  })

  const [warning = '', ...more] = warnings(admission)
  assert.deepEqual(more, [])
  assert.match(
    warning,
    /host \S*shop\S* of .* not used for a\.test: .*admin.*\(require-and-verify, not none\)/,
  )
})

test('sluice check names the line of the options that are not used', (t) => {
  const file = {
    listeners: { secure: plainTls(t) },
    hosts: {
      open: { names: ['a.test'], tls: { profile: 'modern' } },
      guarded: { names: ['a.test'], tls: WITH_AUTHENTICATION },
    },
  }
  const text = JSON.stringify(file, null, 1)
  const document = parseDocument(text, 'site.json')
  assert.ok(document.readable)

  const [found, ...more] = checkDocument('site.json', document)

  assert.deepEqual([more, found?.level, found?.id], [[], 'warning', 'open'])
  assert.match(text.split('\n')[(found?.line ?? 0) - 1] ?? '', /"tls"/)
})
