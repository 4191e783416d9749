// A client that asks for a new name gets its certificate in the handshake, from a FAKE CA, if acme.onDemand.ask permits the name.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { test } from 'node:test'
import { connect } from 'node:tls'
import { createAuthority } from '../support/certificates.ts'
import { startFakeCa } from '../support/fake-ca.ts'
import { listen } from '../support/origin.ts'
import { choosePort } from '../support/ports.ts'
import { startProgram } from '../support/program.ts'

for (const workers of [0, 2]) {
  test(`orders what is permitted while clients wait, with ${workers} workers`, async (t) => {
    const [httpPort, securePort] = await Promise.all([choosePort(), choosePort()])
    const ca = await startFakeCa(t, { httpPort, tlsPort: securePort })
    const asked: string[] = []
    const server = createServer((request, response) => {
      asked.push(request.url ?? '')
      response.writeHead(request.url?.endsWith('=shop.example') === true ? 200 : 404).end()
    })
    const askPort = await listen(server)
    t.after(() => server.close())
    const first = createAuthority(t).issue('first.example')
    const program = await startProgram(t, {
      workers,
      acme: {
        agree: true,
        issuers: [{ directory: ca.directoryUrl, caFile: ca.ca }],
        onDemand: { ask: `http://127.0.0.1:${askPort}/may` },
      },
      listeners: {
        web: { address: `127.0.0.1:${httpPort}` },
        secure: {
          address: `127.0.0.1:${securePort}`,
          protocol: 'https',
          tls: { certificates: [{ cert: first.cert, key: first.key }] },
        },
      },
      frontends: { all: { route: 'PathPrefix("/")', respond: { status: 200 } } },
    })

    const names = await Promise.all(
      ['shop.example', 'shop.example', 'other.example', 'shop.example'].map((name) =>
        namesAt(securePort, name),
      ),
    )

    const shop = 'DNS:shop.example'
    assert.deepEqual(names, [shop, shop, 'DNS:first.example', shop])
    assert.equal(ca.orders.length, 1)
    assert.deepEqual(asked.sort(), ['/may?domain=other.example', '/may?domain=shop.example'])
    assert.deepEqual(
      program.log().filter(({ level }) => level === 'error'),
      [],
    )
  })
}

/** Of the certificate that a client gets. */
async function namesAt(port: number, servername: string): Promise<string | undefined> {
  const socket = connect({ host: '127.0.0.1', port, servername, rejectUnauthorized: false })
  try {
    await once(socket, 'secureConnect')
    return socket.getPeerCertificate().subjectaltname
  } finally {
    socket.destroy()
  }
}
