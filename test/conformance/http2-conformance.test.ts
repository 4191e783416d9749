/** The 147 cases of the public suite for HTTP/2, and further ones, on a listener in clear; the essential ones over TLS. */
import { test, type TestContext } from 'node:test'
import { createAuthority } from '../support/certificates.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { judge } from '../support/http2/cases/case.ts'
import { FURTHER_CASES, PUBLIC_CASES } from '../support/http2/cases/index.ts'
import { startOrigin } from '../support/origin.ts'

const RESPONSE = 'HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world'

test('HTTP/2 in clear', async (t) => {
  const gateway = await startBehind(t, { protocol: 'h2c' })

  for (const each of [...PUBLIC_CASES, ...FURTHER_CASES]) {
    await t.test(each.name, (t) => judge(t, gateway.port, each))
  }
})

test('HTTP/2 in clear on a listener that speaks HTTP/1, too', async (t) => {
  const gateway = await startBehind(t, { protocol: 'http' })

  // What is no HTTP/2 preface is a request of HTTP/1 there.
  for (const each of [...PUBLIC_CASES, ...FURTHER_CASES]) {
    if (each.name.includes('a wrong preface')) continue
    await t.test(each.name, (t) => judge(t, gateway.port, each))
  }
})

test('HTTP/2 over TLS', async (t) => {
  const authority = createAuthority(t)
  const { certPath, keyPath } = authority.issue('test.example')
  const gateway = await startBehind(t, {
    protocol: 'https',
    tls: { certificates: [{ cert: certPath, key: keyPath }] },
  })
  const tls = { ca: authority.cert, servername: 'test.example' }

  for (const each of PUBLIC_CASES)
    await t.test(each.name, (t) => judge(t, gateway.port, each, { tls }))
})

async function startBehind(t: TestContext, listener: object): Promise<TestGateway> {
  const origin = await startOrigin(t, RESPONSE)
  return startGateway(t, { origin: origin.port, listener })
}
