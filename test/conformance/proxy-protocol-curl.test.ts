// needs: curl
// The PROXY header of another program: that of curl, on plain and TLS connections.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { createAuthority } from '../support/certificates.ts'
import { startGateway } from '../support/gateway.ts'
import { value } from '../support/message.ts'
import { OK, startOrigin } from '../support/origin.ts'
import { startProxyReader } from '../support/proxy-reader.ts'

const run = promisify(execFile)

test('curl is served with its PROXY header, over plain HTTP and TLS, and its address goes on', async (t) => {
  const origin = await startOrigin(t, OK)
  const reader = await startProxyReader(t, origin.port)
  const authority = createAuthority(t)
  const { certPath, keyPath } = authority.issue('localhost')
  const proxyProtocol = { trusted: ['127.0.0.1'] }
  const tls = { certificates: [{ cert: certPath, key: keyPath }] }
  const gateway = await startGateway(t, {
    listeners: {
      plain: { address: '127.0.0.1:0', proxyProtocol },
      secure: { address: '127.0.0.1:0', protocol: 'https', tls, proxyProtocol },
    },
    backends: { b: { servers: { s: `http://127.0.0.1:${reader.port}` }, proxyProtocol: 'v2' } },
    frontends: { f: { route: 'PathPrefix("/")', backend: 'b' } },
  })
  const { plain, secure } = gateway.ports

  const curl = ['--silent', '--show-error', '--haproxy-protocol', '--ipv4', '--noproxy', '*']
  const first = await run('curl', [...curl, `http://127.0.0.1:${plain}/`])
  const more = ['--cacert', authority.certPath, `https://localhost:${secure}/`]
  const second = await run('curl', [...curl, ...more, `https://localhost:${secure}/again`])

  assert.deepEqual([first.stdout, second.stdout], ['ok', 'okok'])
  for (const request of origin.requests)
    assert.equal(value(request, 'x-forwarded-for'), '127.0.0.1')
  const destinations = reader.headers.map((header) =>
    typeof header === 'string' ? header : header.destination?.port,
  )
  assert.deepEqual(destinations, [plain, secure])
})
