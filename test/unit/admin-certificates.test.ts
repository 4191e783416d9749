import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { writeCertificates } from '../../src/admin/certificates.ts'
import { type AcmeNameReport, NO_ACME } from '../../src/observe/reports/acme-report.ts'
import { createAuthority } from '../support/certificates.ts'
import { startProgram } from '../support/program.ts'
import { choosePort } from '../support/ports.ts'

test('lists each certificate once, with what declares it and the listeners that serve it', async (t) => {
  const authority = createAuthority(t)
  const own = authority.issueWith({ key: 'rsa', days: 5 }, 'a.test', 'b.test')
  const host = authority.issue('*.wild.test')
  const pair = ({ cert, key }: typeof own): object => ({ cert, key })
  const program = await startProgram(t, {
    workers: 0,
    listeners: {
      web: {
        address: `127.0.0.1:${await choosePort()}`,
        protocol: 'https',
        tls: { certificates: [pair(own)] },
      },
      plain: { address: `127.0.0.1:${await choosePort()}` },
    },
    hosts: { '*.wild.test': pair(host) },
  })

  const { status, text } = await program.ask('/api/certificates')

  const { certificates, acme } = JSON.parse(text) as {
    certificates: readonly Record<string, unknown>[]
    acme: object
  }
  const leaf = new X509Certificate(own.cert)
  assert.equal(status, 200)
  assert.deepEqual(acme, { storeError: null, orders: [], names: [] })
  assert.deepEqual(
    certificates.map(({ names, kind, id, source, listeners, keyType }) => ({
      ...{ names, kind, id, source, listeners, keyType },
    })),
    [
      {
        ...{ names: ['*.wild.test'], kind: 'host', id: '*.wild.test', source: 'file' },
        ...{ listeners: ['web'], keyType: 'ec prime256v1' },
      },
      {
        ...{ names: ['a.test', 'b.test'], kind: 'listener', id: 'web', source: 'file' },
        ...{ listeners: ['web'], keyType: 'rsa 2048' },
      },
    ],
  )
  const [, mine = assert.fail()] = certificates
  assert.equal(mine['fingerprint'], leaf.fingerprint256)
  assert.equal(mine['issuer'], 'CN=Test CA')
  assert.equal(mine['validToAt'], leaf.validToDate.toISOString())
  assert.equal(mine['endsAt'], leaf.validToDate.toISOString())
  assert.doesNotMatch(text, /PRIVATE|BEGIN/)
})

test('names that are ordered are listed behind the certificates', () => {
  const name: AcmeNameReport = {
    ...{ name: 'a.test', state: 'valid', directory: null, endsAt: null, renewsAt: 2e12 },
    ...{ explanation: null, reason: null, failures: [] },
  }
  const view = { certificates: () => [], acme: () => ({ ...NO_ACME, names: [name] }) }

  const { acme } = JSON.parse([...writeCertificates(view)].join('')) as {
    acme: { names: readonly { name: string; renewsAt: string }[] }
  }

  assert.deepEqual(
    acme.names.map(({ name: one, renewsAt }) => [one, renewsAt]),
    [['a.test', '2033-05-18T03:33:20.000Z']],
  )
})
