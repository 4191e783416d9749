import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createCertificateList } from '../../src/control/review/certificate-list.ts'
import { createAuthority } from '../support/certificates.ts'
import { openAdmission } from '../support/declared.ts'

test('a certificate that stays is not parsed again for the next list', (t) => {
  const authority = createAuthority(t)
  const pairOf = (name: string): object => {
    const { cert, key } = authority.issue(name)
    return { cert, key }
  }
  const secure = { address: '127.0.0.1:8443', protocol: 'https' }
  const [first, second, third] = [pairOf('a.test'), pairOf('b.test'), pairOf('c.test')]
  const admission = openAdmission()
  const listCertificates = createCertificateList()
  const listed = (hosts: Readonly<Record<string, object>>): ReturnType<typeof listCertificates> => {
    const { snapshot } = admission.declare({ listeners: { secure }, hosts })
    return listCertificates(admission.inForce(), snapshot.listeners.values())
  }

  const before = listed({ first, second })
  const after = listed({ first, third })

  const namesOf = (list: typeof before): unknown => list.map(({ id, names }) => [id, ...names])
  assert.deepEqual(namesOf(before), [
    ['first', 'a.test'],
    ['second', 'b.test'],
  ])
  assert.deepEqual(namesOf(after), [
    ['first', 'a.test'],
    ['third', 'c.test'],
  ])
  assert.equal(after[0]?.names, before[0]?.names)
  assert.deepEqual(after[0]?.listeners, ['secure'])
})
