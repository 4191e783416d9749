// Challenges of open orders reach the data plane inside listeners.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Challenge } from '../../src/model/snapshot.ts'
import { createAuthority } from '../support/certificates.ts'
import { openAdmission } from '../support/declared.ts'
import type { Admitted } from '../support/declared.ts'

const http: Challenge = { kind: 'http-01', token: 't', keyAuthorization: 't.k' }

function challenged({ snapshot }: Admitted): unknown {
  return Object.fromEntries(
    Array.from(snapshot.listeners.values(), ({ id, challenges }) => [
      id,
      challenges.map(({ kind }) => kind),
    ]),
  )
}

test('http-01 goes to listeners in clear, tls-alpn-01 to those that end TLS', (t) => {
  const { cert, key } = createAuthority(t).issue('vote.example')
  const tls = { certificates: [{ cert, key }] }
  const sections = {
    listeners: {
      web: { address: ':80' },
      secure: { address: ':443', protocol: 'https', tls },
      mail: { address: ':993', protocol: 'tcp', tls, backend: 'b' },
      raw: { address: ':5432', protocol: 'tcp', backend: 'b' },
    },
    backends: { b: { servers: { one: 'http://10.0.0.9:1' } } },
  }
  const alpn: Challenge = {
    kind: 'tls-alpn-01',
    name: 'vote.example',
    certificate: { cert, key },
  }
  const admission = openAdmission()
  admission.declare(sections)

  admission.challenge([http, alpn])
  const open = admission.declare(sections)
  admission.challenge([alpn])
  const fewer = admission.declare(sections)
  admission.challenge([])
  const none = admission.declare(sections)

  const alone = { web: [], secure: ['tls-alpn-01'], mail: ['tls-alpn-01'], raw: [] }
  assert.deepEqual(challenged(open), { ...alone, web: ['http-01'] })
  assert.deepEqual(challenged(fewer), alone)
  assert.deepEqual(challenged(none), { web: [], secure: [], mail: [], raw: [] })
})

test('a change of challenges changes only the listeners that have some', () => {
  const admission = openAdmission()
  const sections = {
    listeners: {
      web: { address: ':80' },
      raw: { address: ':5432', protocol: 'tcp', backend: 'b' },
    },
    backends: { b: { servers: { one: 'http://10.0.0.9:1' } } },
  }
  admission.declare(sections)

  admission.challenge([http])
  const { changed } = admission.declare({ ...sections })

  assert.deepEqual([...changed.listeners], ['web'])
})
