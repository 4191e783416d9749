// facts/vulcand.md 2.3 and 2.4 from the keys to the sockets: timeouts and TLS of a backend, as its servers and clients see them.
import assert from 'node:assert/strict'
import { createServer, type AddressInfo } from 'node:net'
import { after, test, type TestContext } from 'node:test'
import type { TLSSocket } from 'node:tls'
import { createAuthority } from '../support/certificates.ts'
import { exchange } from '../support/client.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { OK, startOrigin, type Origin } from '../support/origin.ts'
import { choosePort } from '../support/ports.ts'
import { get } from '../support/refusal.ts'
import { startSilent } from '../support/silent.ts'
import { eventually } from '../support/until.ts'
import { readVulcandKeys } from '../support/vulcand-keys.ts'

const { cert, key } = createAuthority({ after }).issue('127.0.0.1')

function keysTo(url: string, settings: object): object {
  return readVulcandKeys({
    'listeners/web': { Protocol: 'http', Address: { Network: 'tcp', Address: '127.0.0.1:0' } },
    'backends/b/backend': { Type: 'http', Settings: settings },
    'backends/b/servers/s': { URL: url },
    'frontends/f/frontend': { Type: 'http', Route: 'PathRegexp("/.*")', BackendId: 'b' },
  })
}

async function outcome(t: TestContext, gateway: TestGateway): Promise<string> {
  const before = gateway.records().length
  const { status } = await exchange(t, gateway.port, get('/'))
  const record = await eventually(() => gateway.records()[before], 'the record')
  return `${status} ${record.reason ?? ''}`.trim()
}

/** Accepts connections and says nothing. */
async function startMute(t: TestContext): Promise<number> {
  const server = createServer((socket) => socket.on('error', () => {}).resume())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  return (server.address() as AddressInfo).port
}

const HANGING = [
  { member: 'Dial', scheme: 'http', expected: '504 CONNECT_TIMEOUT' },
  { member: 'TLSHandshake', scheme: 'https', expected: '504 CONNECT_TIMEOUT' },
  { member: 'Read', scheme: 'http', expected: '504 FIRST_BYTE_TIMEOUT' },
] as const

for (const { member, scheme, expected } of HANGING) {
  test(`Timeouts.${member} ends what hangs`, async (t) => {
    let port: number
    if (member === 'Dial') {
      port = await choosePort()
      await startSilent(t, '127.0.0.3', port)
    } else port = await startMute(t)
    const host = member === 'Dial' ? '127.0.0.3' : '127.0.0.1'
    const Timeouts = { [member]: '20ms' }
    const gateway = await startGateway(t, keysTo(`${scheme}://${host}:${port}`, { Timeouts }))

    assert.equal(await outcome(t, gateway), expected)
  })
}

test('the TLS block of a backend decides what its servers are spoken to, also when it changes', async (t) => {
  const origin: Origin = await startOrigin(t, OK, { cert, key, maxVersion: 'TLSv1.2' })
  const TLS = { InsecureSkipVerify: true, MinVersion: 'VersionTLS10', MaxVersion: 'VersionTLS12' }
  const suite = 'TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA'
  const blocks = [
    TLS,
    { ...TLS, InsecureSkipVerify: false },
    { ...TLS, MinVersion: 'VersionTLS13', MaxVersion: '' },
    { ...TLS, CipherSuites: [suite] },
  ]
  const gateway = await startGateway(t, keysTo(origin.url, { TLS }))

  const seen = []
  for (const block of blocks) {
    await gateway.apply(keysTo(origin.url, { TLS: block }))
    seen.push(await outcome(t, gateway))
  }

  assert.deepEqual(seen, ['200', '502 CERTIFICATE_REFUSED', '502 TLS_FAILED', '200'])
  const socket = origin.connections.at(-1)?.socket as TLSSocket
  assert.equal(socket.getCipher().standardName, suite)
})
