// Handshakes while certificates change: none fails, and each client gets a certificate that was declared for its name.
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { createAuthority } from '../support/certificates.ts'
import { openTlsClient } from '../support/client.ts'
import { startGateway } from '../support/gateway.ts'
import { OK, startOrigin } from '../support/origin.ts'

const CHANGES = 40
const CLIENTS = 6

test('no handshake fails while certificates and options of hosts change', async (t) => {
  const authority = createAuthority(t)
  const origin = await startOrigin(t)
  origin.follow(OK)
  const versions = [1, 2, 3].map(() =>
    Object.fromEntries(
      ['a.test', 'b.test'].map((name) => {
        const { cert, key } = authority.issue(name)
        return [name, { cert, key }]
      }),
    ),
  )
  const serials = new Set(
    versions.flatMap((hosts) =>
      Object.values(hosts).map(({ cert }) => new X509Certificate(cert).serialNumber),
    ),
  )
  const configOf = (at: number): object => {
    const hosts = versions[at % versions.length] ?? {}
    const [first, ...rest] = Object.entries(hosts)
    // Another order, and a host with options of its own in every second one.
    const ordered = at % 2 === 0 ? [first, ...rest] : [...rest, first]
    const tls = at % 2 === 0 ? {} : { tls: { profile: 'modern' } }
    return {
      listeners: { secure: { address: '127.0.0.1:0', protocol: 'https' } },
      hosts: Object.fromEntries(
        ordered.flatMap((entry) =>
          entry === undefined ? [] : [[entry[0], { ...entry[1], ...tls }]],
        ),
      ),
      backends: { b: { servers: { s: origin.url } } },
      frontends: { f: { route: 'PathPrefix("/")', backend: 'b' } },
    }
  }
  const gateway = await startGateway(t, configOf(0))
  let isChanging = true
  let attempts = 0

  async function connectAgainAndAgain(name: string): Promise<readonly string[]> {
    const failures: string[] = []
    while (isChanging) {
      try {
        const client = await openTlsClient(t, gateway.port, {
          servername: name,
          ca: authority.cert,
        })
        const { serialNumber = '' } = client.socket.getPeerX509Certificate() ?? {}
        if (!serials.has(serialNumber)) failures.push(`the certificate ${serialNumber}`)
        client.socket.destroy()
      } catch (error) {
        failures.push(String(error))
      }
      attempts++
    }
    return failures
  }

  const clients = Array.from({ length: CLIENTS }, (_, at) =>
    connectAgainAndAgain(at % 2 === 0 ? 'a.test' : 'b.test'),
  )
  const all = Promise.all(clients)
  for (let change = 1; change <= CHANGES; change++) {
    const before = attempts
    await gateway.apply(configOf(change))
    // Some of them between any two changes.
    while (attempts < before + CLIENTS) await new Promise((resolve) => setImmediate(resolve))
  }
  isChanging = false
  const failures = (await all).flat()
  t.diagnostic(`${attempts} handshakes over ${CHANGES} changes`)

  assert.deepEqual(failures, [])
  assert.ok(attempts >= CHANGES * CLIENTS)
})
