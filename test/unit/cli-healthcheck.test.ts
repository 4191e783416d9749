import assert from 'node:assert/strict'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import { runHealthcheck, waitForReady } from '../../src/cli/healthcheck.ts'

async function startAdmin(t: TestContext, response: RequestListener): Promise<number> {
  const server = createServer(response)
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

test('is good when the admin is ready, whichever of its addresses is written', async (t) => {
  const asked: string[] = []
  const port = await startAdmin(t, (request, response) => {
    asked.push(`${request.method} ${request.url}`)
    response.end('ready')
  })
  const lines: string[] = []

  for (const host of ['127.0.0.1', '', '0.0.0.0']) {
    assert.equal(await runHealthcheck({ host, port }, (line) => lines.push(line)), 0)
  }

  assert.deepEqual(lines, ['ready', 'ready', 'ready'])
  assert.deepEqual(asked, ['GET /readyz', 'GET /readyz', 'GET /readyz'])
})

test('is bad when the admin is not ready', async (t) => {
  const port = await startAdmin(t, (_, response) => response.writeHead(503).end('no table yet'))
  const lines: string[] = []

  const code = await runHealthcheck({ host: '127.0.0.1', port }, (line) => lines.push(line))

  assert.equal(code, 1)
  assert.deepEqual(lines, ['not ready: /readyz responded with 503'])
})

test('is bad when nobody listens, or nobody answers in time', async (t) => {
  const silent = await startAdmin(t, () => undefined)
  const lines: string[] = []
  const print = (line: string): void => void lines.push(line)

  assert.equal(await runHealthcheck({ host: '127.0.0.1', port: 1 }, print), 1)
  assert.equal(await runHealthcheck({ host: '127.0.0.1', port: silent }, print, 50), 1)

  assert.match(
    lines[0] ?? '',
    /^not ready: cannot reach the admin at http:\/\/127\.0\.0\.1:1: nothing listens there$/,
  )
  assert.match(lines[1] ?? '', /^not ready: the admin at http:\S+ did not respond in time$/)
})

test('waits until the admin is ready, or for as long as it may', async (t) => {
  let left = 3
  const slow = await startAdmin(t, (_, response) =>
    response.writeHead(left-- > 0 ? 503 : 200).end(),
  )
  const never = await startAdmin(t, (_, response) => response.writeHead(503).end())
  const lines: string[] = []
  const print = (line: string): void => void lines.push(line)

  const codes = [
    await waitForReady({ host: '127.0.0.1', port: slow }, 10_000, print),
    await waitForReady({ host: '127.0.0.1', port: never }, 250, print),
    await waitForReady({ host: '127.0.0.1', port: never }, 0, print),
  ]

  assert.deepEqual(codes, [0, 1, 1])
  assert.deepEqual(lines, [
    'ready',
    'not ready: /readyz responded with 503',
    'not ready: /readyz responded with 503',
  ])
})
