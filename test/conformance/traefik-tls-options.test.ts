// Mutual TLS as Traefik's tree declares it: the options of a router guard its hosts on every way to them.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMirror } from '../../src/providers/registry/mirror.ts'
import { createAuthority } from '../support/certificates.ts'
import { openClient, openTlsClient } from '../support/client.ts'
import { startGateway } from '../support/gateway.ts'
import { createLayout } from '../support/layouts.ts'
import { OK, startOrigin } from '../support/origin.ts'

test('a router whose options require certificates is reached with one alone', async (t) => {
  const [authority, clients, strangers] = [
    createAuthority(t),
    createAuthority(t),
    createAuthority(t),
  ]
  const origin = await startOrigin(t)
  origin.follow(OK)
  const mirror = createMirror(createLayout('traefik', { sealKey: null }))
  const keys = {
    'http/routers/admin/rule': 'Host(`admin.test`)',
    'http/routers/admin/service': 's',
    'http/routers/admin/tls/options': 'mtls',
    'http/routers/shop/rule': 'Host(`shop.test`)',
    'http/routers/shop/service': 's',
    'http/routers/shop/tls': 'true',
    'tls/options/mtls/clientAuth/caFiles/0': clients.cert,
    'tls/options/mtls/clientAuth/clientAuthType': 'RequireAndVerifyClientCert',
  }
  for (const [path, text] of Object.entries(keys)) mirror.put({ path, key: path, text })
  const { objects } = mirror.declare({ revision: '', listed: 'first', changedAt: 0 })
  const section = (kind: string): object =>
    Object.fromEntries(
      [...objects].flatMap((one) => (one.kind === kind ? [[one.id, one.value]] : [])),
    )
  const { cert, key } = authority.issue('admin.test', 'shop.test')
  const gateway = await startGateway(t, {
    listeners: {
      secure: { address: '127.0.0.1:0', protocol: 'https', tls: { certificates: [{ cert, key }] } },
      web: { address: '127.0.0.1:0' },
    },
    hosts: section('host'),
    frontends: section('frontend'),
    backends: { s: { servers: { one: origin.url } } },
  })
  const ask = async (name: string, client: object, host = name): Promise<number | 'refused'> => {
    try {
      const options = { servername: name, ca: authority.cert, ...client }
      const connection = await openTlsClient(t, gateway.ports['secure'] ?? 0, options)
      const { status } = await connection.ask(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
      return status
    } catch {
      return 'refused'
    }
  }
  const [known, foreign] = [clients.issue('jo'), strangers.issue('jo')]

  assert.equal(await ask('admin.test', { cert: known.cert, key: known.key }), 200)
  assert.equal(await ask('admin.test', { cert: foreign.cert, key: foreign.key }), 'refused')
  assert.equal(await ask('admin.test', {}), 'refused')
  assert.equal(await ask('shop.test', {}), 200)
  // A connection for the shop reaches no guarded host.
  assert.equal(await ask('shop.test', {}, 'admin.test'), 421)
  const plain = await openClient(t, gateway.ports['web'] ?? 0)
  assert.equal((await plain.ask('GET / HTTP/1.1\r\nHost: admin.test\r\n\r\n')).status, 403)
})
