/** Certificates of several hosts for one name: which one clients get, and that the others are named. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { InForce } from '../../src/control/admission/admit.ts'
import { createCertificateConflicts } from '../../src/control/review/certificate-conflicts.ts'
import { createAuthority, type LeafForm } from '../support/certificates.ts'
import { openAdmission, type Admitted, type AdmissionUnderTest } from '../support/declared.ts'

interface Pair {
  readonly cert: string
  readonly key: string
}

function createIssuer(t: TestContext): (names: readonly string[], form?: LeafForm) => Pair {
  const authority = createAuthority(t)
  return (names, form = {}) => {
    const { cert, key } = authority.issueWith(form, ...names)
    return { cert, key }
  }
}

const secure = { address: '127.0.0.1:8443', protocol: 'https' }

function certificatesOf(admission: AdmissionUnderTest): InForce[] {
  return [...admission.inForce()].filter(({ kind }) => kind === 'listener' || kind === 'host')
}

function warnings(admission: AdmissionUnderTest, now = Date.now()): string[] {
  const found = createCertificateConflicts().diagnostics(certificatesOf(admission), now)
  return found.map(({ object, level, message, path }) => {
    return `${level} ${object.kind} ${object.id} of ${object.source}: ${[...path, message].join(' ')}`
  })
}

function served({ snapshot }: Admitted): readonly string[] {
  return snapshot.listeners.get('secure')?.tls?.certificates.map(({ cert }) => cert) ?? []
}

test('the source that is named first has precedence for a name, then the id, not the order of their declarations', (t) => {
  const issue = createIssuer(t)
  const [ofFile, first, second] = [
    issue(['a.test', 'b.test']),
    issue(['a.test', 'c.test']),
    issue(['a.test']),
  ]
  const admission = openAdmission({}, ['file', 'etcd'])

  admission.declare({ hosts: { zz: second, ab: first } }, 'r1', 'etcd')
  const admitted = admission.declare({ listeners: { secure }, hosts: { mine: ofFile } })

  assert.deepEqual(served(admitted), [ofFile.cert, first.cert, second.cert])
  assert.deepEqual(warnings(admission), [
    'warning host ab of etcd: its certificate is not used for a.test: that of host "mine" of source "file" goes first; its other names are served; issue one of the two without the names that both have',
    'warning host zz of etcd: its certificate is not used for a.test: that of host "mine" of source "file" goes first; remove one of them',
  ])
})

test('a certificate of the listener itself goes before those of hosts', (t) => {
  const issue = createIssuer(t)
  const [own, other] = [issue(['a.test']), issue(['a.test', 'b.test', 'c.test'])]
  const third = issue(['b.test', 'c.test', 'd.test', 'a.test', 'e.test'])
  const admission = openAdmission()

  admission.declare({
    listeners: { secure: { ...secure, tls: { certificates: [own, third] } } },
    hosts: { other },
  })

  assert.deepEqual(warnings(admission), [
    'warning listener secure of file: tls certificates 1 its certificate is not used for a.test: another one of the same listener goes first; its other names are served; issue one of the two without the names that both have',
    'warning host other of file: its certificate is not used for a.test, b.test, c.test: that of listener "secure" goes first; remove one of them',
  ])
})

test('nothing is said of one certificate in two places, of other kinds of keys, or of the next one of a name that ended', (t) => {
  const issue = createIssuer(t)
  const ecdsa = issue(['a.test'], { days: 1 })
  const admission = openAdmission()
  admission.declare({
    listeners: { secure },
    hosts: { a: ecdsa, b: ecdsa, c: issue(['a.test'], { key: 'rsa' }) },
  })

  assert.deepEqual(warnings(admission), [])

  admission.declare({ listeners: { secure }, hosts: { a: ecdsa, b: issue(['a.test']) } })

  assert.equal(warnings(admission).length, 1)
  assert.deepEqual(warnings(admission, Date.now() + 2 * 86_400_000), [])
})

test('a certificate that is of a listener and of a host hides others as that of the listener, and on this listener only', (t) => {
  const issue = createIssuer(t)
  const [shop, kk1] = [issue(['shop.test']), issue(['shop.test'])]
  const own = { ...secure, tls: { certificates: [kk1] } }
  const admission = openAdmission({}, ['file', 'etcd'])
  admission.declare({ hosts: { kk1 } }, 'r1', 'etcd')

  admission.declare({ listeners: { secure: own }, hosts: { shop } })

  assert.deepEqual(warnings(admission), [
    'warning host shop of file: its certificate is not used for shop.test: that of listener "secure" goes first; remove one of them',
  ])

  const plain = { ...secure, address: '127.0.0.1:9443' }
  admission.declare({ listeners: { secure: own, plain }, hosts: { shop } })

  assert.deepEqual(warnings(admission).toSorted(), [
    'warning host kk1 of etcd: its certificate is not used on listener "plain" for shop.test: that of host "shop" of source "file" goes first; remove one of them',
    'warning host shop of file: its certificate is not used on listener "secure" for shop.test: that of listener "secure" goes first; remove one of them',
  ])
})
