// needs: pebble
// Certificates of half a minute are renewed again and again while clients connect.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { connect } from 'node:tls'
import { startPebble } from '../support/pebble.ts'
import { choosePort } from '../support/ports.ts'
import { startProgram } from '../support/program.ts'
import { eventually } from '../support/until.ts'

const NAME = 'vote.example'
const RENEWALS = 2

/** The serial of the certificate that a client verified; null: it could not. */
async function serialAt(port: number, ca: string): Promise<string | null> {
  const socket = connect({ host: '127.0.0.1', port, servername: NAME, ca })
  try {
    await once(socket, 'secureConnect')
    return socket.getPeerCertificate().serialNumber
  } catch {
    return null
  } finally {
    socket.destroy()
  }
}

test('renews under load, and no handshake fails', async (t) => {
  const [web, secure] = await Promise.all([choosePort(), choosePort()])
  const pebble = await startPebble(t, { httpPort: web, tlsPort: secure, validitySeconds: 30 })
  const root = await pebble.root()
  await startProgram(t, {
    acme: { agree: true, issuers: [{ directory: pebble.directoryUrl, caFile: pebble.ca }] },
    listeners: {
      web: { address: `127.0.0.1:${web}` },
      secure: { address: `127.0.0.1:${secure}`, protocol: 'https' },
    },
    frontends: { vote: { route: `Host("${NAME}")`, respond: { status: 200 } } },
  })
  await eventually(() => serialAt(secure, root), 'the first certificate is there')

  const serials = new Set<string | null>()
  let handshakes = 0
  await eventually(
    async () => {
      serials.add(await serialAt(secure, root))
      handshakes++
      return serials.size > RENEWALS
    },
    'it was renewed several times',
    120_000,
  )
  t.diagnostic(`${handshakes} handshakes, ${serials.size} certificates`)

  assert.ok(!serials.has(null), 'no handshake failed')
})
