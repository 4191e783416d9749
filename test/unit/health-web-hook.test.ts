import assert from 'node:assert/strict'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import { sendHook as sendHookBy, type SendOptions } from '../../src/health/web-hook.ts'
import { parseWith } from '../../src/options/parse.ts'
import type { WebHook } from '../../src/model/snapshot.ts'
import { webHook } from '../../src/options/web-hook.ts'
import { createLookup } from '../../src/dns/lookup.ts'
import { startDnsServer } from '../support/dns-server.ts'
import { systemLookup as lookup, systemResolver } from '../support/names.ts'

const sendHook = (hook: WebHook, options: Omit<SendOptions, 'lookup'> = {}): Promise<number> =>
  sendHookBy(hook, { ...options, lookup })

interface Received {
  readonly method: string
  readonly target: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

/** A server that is called, and its url. */
async function startListener(
  t: TestContext,
  answer: (response: ServerResponse) => void,
): Promise<{ url: string; received: readonly Received[] }> {
  const received: Received[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk))
    request.on('end', () => {
      const { method = '', url = '', headers } = request
      received.push({ method, target: url, headers, body })
      answer(response)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(resolve))
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, received }
}

function hookOf(declared: unknown): WebHook {
  const parsed = parseWith(webHook, declared)
  assert.ok(parsed.ok, JSON.stringify(parsed))
  return parsed.value
}

function flawsOf(declared: unknown): string[] {
  const parsed = parseWith(webHook, declared)
  assert.ok(!parsed.ok, 'it is taken')
  return parsed.problems.map(({ message }) => message)
}

test('a hook is sent with its method, fields and form', async (t) => {
  const { url, received } = await startListener(t, (response) => response.writeHead(204).end())
  const hook = hookOf({
    url: `${url}/hook?a=b`,
    method: 'PUT',
    headers: { 'X-Token': 'secret', 'X-Many': ['a', 'b'] },
    form: { text: 'shop is down & out', to: ['ann', 'bob'] },
  })

  assert.equal(await sendHook(hook), 204)

  const [call] = received
  assert.equal(received.length, 1)
  assert.equal(call?.method, 'PUT')
  assert.equal(call.target, '/hook?a=b')
  assert.equal(call.headers['x-token'], 'secret')
  assert.equal(call.headers['x-many'], 'a, b')
  assert.equal(call.headers['content-type'], 'application/x-www-form-urlencoded')
  assert.equal(call.body, 'text=shop+is+down+%26+out&to=ann&to=bob')
})

test('a hook is a url alone, or has a body of its own', async (t) => {
  const { url, received } = await startListener(t, (response) => response.end('x'.repeat(100_000)))

  assert.equal(await sendHook(hookOf(url.replace('127.0.0.1', 'localhost'))), 200)
  assert.equal(
    await sendHook(hookOf({ url, body: '{"é":1}', headers: { 'Content-Type': 'a/b' } })),
    200,
  )

  assert.deepEqual(
    received.map(({ method, body, headers }) => [method, body, headers['content-type']]),
    [
      ['POST', '', undefined],
      ['POST', '{"é":1}', 'a/b'],
    ],
  )
})

test('a response that is no success is reported, and a redirect is not followed', async (t) => {
  const { url, received } = await startListener(t, (response) =>
    response.writeHead(302, { Location: '/elsewhere' }).end(),
  )

  await assert.rejects(
    sendHook(hookOf(url)),
    /^Error: cannot call 127\.0\.0\.1:\d+: it returned 302$/,
  )

  assert.equal(received.length, 1)
})

test('a hook that nobody answers is given up after its time', async (t) => {
  const { url } = await startListener(t, () => {})

  await assert.rejects(
    sendHook(hookOf(url), { timeoutMs: 50 }),
    /^Error: cannot call 127\.0\.0\.1:\d+: no response within 50 ms$/,
  )
})

test('a hook is called off by its signal', async (t) => {
  const stopping = new AbortController()
  const { url } = await startListener(t, () => stopping.abort())

  await assert.rejects(sendHook(hookOf(url), { signal: stopping.signal }), /cannot call .*abort/i)
})

test('a hook to where nobody listens says so', async (t) => {
  const { url } = await startListener(t, (response) => response.end())
  const port = Number(new URL(url).port)
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const free = (server.address() as AddressInfo).port
  await new Promise((resolve) => server.close(resolve))
  assert.notEqual(free, port)

  await assert.rejects(sendHook(hookOf(`http://127.0.0.1:${free}`)), /cannot call .*ECONNREFUSED/)
})

test('no reason tells the path, the query, a field or the body', async (t) => {
  const { url } = await startListener(t, ({ socket }) => void socket?.end('s3cret\r\n\r\n'))
  const refusing = await startListener(t, (response) => response.writeHead(403).end('s3cret'))
  const to = '/s3cret?key=s3cret'
  const hook = {
    url: refusing.url + to,
    method: 'POST',
    headers: { Authorization: ['s3cret'] },
    body: 's3cret',
  }

  for (const bad of [
    hook,
    { ...hook, url: url + to },
    { ...hook, url: `http://169.254.169.254${to}` },
    { ...hook, url: `https://${new URL(url).host}${to}` },
    { ...hook, headers: { Authorization: ['s3cret\n'] } },
  ]) {
    await assert.rejects(sendHook(bad), (error: Error) => {
      assert.match(error.message, /^cannot call /)
      assert.doesNotMatch(error.message, /s3cret/)
      return true
    })
  }
})

test('metadata services and link-local addresses are never called', async () => {
  for (const url of [
    'http://169.254.169.254/latest',
    'http://[fe80::1]/',
    'http://2852039166/',
    'http://metadata.google.internal/',
    'http://[::ffff:169.254.169.254]/',
  ]) {
    const [flaw = ''] = flawsOf(url)
    assert.match(flaw, /^url: .* cannot be called: it is a (link-local|cloud)/, url)
    const hook = { url, method: 'POST', headers: {}, body: '' }
    await assert.rejects(sendHook(hook), /^Error: cannot call .*: it is a (link-local|cloud)/, url)
  }
})

test('a hook is sent to where its name leads, and to nothing that is denied', async (t) => {
  const { url, received } = await startListener(t, (response) => response.writeHead(204).end())
  const { port } = new URL(url)
  const dns = await startDnsServer(t, {
    'hook.test': { addresses: ['127.0.0.1'] },
    'meta.test': { addresses: ['169.254.169.254', '::ffff:169.254.169.254'] },
  })
  const named = createLookup(systemResolver(t, { servers: [dns.address], search: [] }))
  const send = (name: string): Promise<number> =>
    sendHookBy(hookOf(`http://${name}:${port}/`), { lookup: named })

  assert.equal(await send('hook.test'), 204)
  assert.equal(received[0]?.headers.host, `hook.test:${port}`)
  await assert.rejects(send('meta.test'), /leads to .* only, which is a link-local address/)
  await assert.rejects(send('none.test'), /none.test cannot be resolved: .* \(NXDOMAIN\)/)
})

test('what cannot be sent is refused with its reason', () => {
  const url = 'http://hooks.example/'

  assert.deepEqual(flawsOf({}), ['url: is missing'])
  assert.match(
    flawsOf('hooks.example')[0] ?? '',
    /^url: must be a url such as .* not "hooks.example"/,
  )
  assert.deepEqual(flawsOf('http://ann:secret@hooks.example/'), [
    'url: cannot carry a user name or password; write an Authorization header',
  ])
  assert.match(flawsOf({ url, method: 'CONNECT' })[0] ?? '', /^method: must be POST or PUT/)
  assert.deepEqual(flawsOf({ url, headers: { Host: 'x' } }), [
    'headers: "Host" is set by Sluice itself',
  ])
  assert.match(flawsOf({ url, headers: { 'A B': 'x' } })[0] ?? '', /"A B" is not a header name/)
  assert.match(
    flawsOf({ url, headers: { A: 'x\r\nB: y' } })[0] ?? '',
    /^headers: the value of "A" must be visible/,
  )
  assert.match(flawsOf({ url, form: { a: 1 } })[0] ?? '', /^form: "a" must be text/)
  assert.match(
    flawsOf({ url, form: { a: 'x' }, body: 'y' })[0] ?? '',
    /^body: cannot be used together/,
  )
  assert.match(
    flawsOf({ url, form: { a: 'x'.repeat(65_535) } })[0] ?? '',
    /^form: must be at most 65536/,
  )
  assert.match(flawsOf({ url, body: 'x'.repeat(65_537) })[0] ?? '', /^body: must be at most 65536/)
})
