// needs: chromium
// gRPC-Web in a real browser: calls of a page over HTTP/2 and TLS reach a server of gRPC.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { frameMessage } from '../../src/http/grpc/frame.ts'
import { createAuthority } from '../support/certificates.ts'
import { startGateway } from '../support/gateway.ts'
import { startGrpcOrigin } from '../support/grpc.ts'
import { launchChromium } from '../support/voting-pages.ts'

test('a page in Chromium calls a unary and a server-streaming method over HTTP/2', async (t) => {
  const { certPath, keyPath } = createAuthority(t).issue('localhost')
  const origin = await startGrpcOrigin(t)
  const gateway = await startGateway(t, {
    listeners: {
      web: {
        address: '127.0.0.1:0',
        protocol: 'https',
        tls: { certificates: [{ cert: certPath, key: keyPath }] },
      },
    },
    backends: { echo: { servers: { s: `h2c://127.0.0.1:${origin.port}` } } },
    frontends: {
      page: { route: 'Path("/")', respond: { status: 200, body: 'page' } },
      echo: { route: 'PathPrefix("/test.Echo/")', backend: 'echo', grpcWeb: {} },
    },
  })
  const browser = await launchChromium()
  t.after(() => browser.close())
  const page = await (await browser.newContext({ ignoreHTTPSErrors: true })).newPage()
  await page.goto(`https://localhost:${gateway.port}/`)

  const call = (method: string, message: string): Promise<string> =>
    page.evaluate(
      async ({ path, bytes }) => {
        const response = await fetch(path, {
          method: 'POST',
          headers: { 'content-type': 'application/grpc-web+proto', 'x-grpc-web': '1' },
          body: new Uint8Array(bytes),
        })
        const received = new Uint8Array(await response.arrayBuffer())
        return String.fromCharCode(...received)
      },
      { path: `/test.Echo/${method}`, bytes: [...frameMessage(Buffer.from(message))] },
    )
  const unary = await call('Unary', 'hello')
  const streamed = await call('Repeat', 'ab*3')

  assert.match(unary, /^\0\0\0\0\x05hello\x80\0\0\0.grpc-status: 0\r\n/s)
  assert.match(streamed, /^(?:\0\0\0\0\x02ab){3}\x80\0\0\0.grpc-status: 0\r\n/s)
  assert.equal(origin.calls.length, 2)
  const calls = gateway.records().filter(({ frontend }) => frontend === 'echo')
  assert.deepEqual(
    calls.map(({ protocol, grpcStatus }) => [protocol, grpcStatus]),
    [
      ['HTTP/2', 0],
      ['HTTP/2', 0],
    ],
  )
})
