import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createTcpServer, type AddressInfo, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { type ClientOptions, createClient, SluiceError } from '../../src/client/client.ts'
import { createAuthority } from '../support/certificates.ts'
import { startObjectsSite } from '../support/objects-api.ts'

const TOKEN = 'a-token-for-tests'
const tokens = [{ name: 'ci', role: 'write', sha256: hash('sha256', TOKEN) }] as const

async function listen(t: TestContext, server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => void server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function serve(t: TestContext, respond: RequestListener): Promise<string> {
  const server = createServer(respond)
  t.after(() => server.closeAllConnections())
  return listen(t, server)
}

async function refusal(
  t: TestContext,
  options: ClientOptions,
  signal?: AbortSignal,
  method = 'GET',
): Promise<SluiceError> {
  const client = createClient(options)
  t.after(() => client.close())
  const path = '/api/providers'
  const error: unknown = await client
    .request({ method, path, ...(signal === undefined ? {} : { signal }) })
    .then(
      () => null,
      (reason: unknown) => reason,
    )
  assert.ok(error instanceof SluiceError, String(error))
  return error
}

test('a token is sent, and without one the error says what is needed', async (t) => {
  const { origin } = await startObjectsSite(t, { access: { tokens } })
  const client = createClient({ baseUrl: `${origin}/`, token: TOKEN })
  t.after(() => client.close())

  assert.deepEqual(await client.sources(), [])
  const missing = await refusal(t, { baseUrl: origin })
  const wrong = await refusal(t, { baseUrl: origin, token: 'other' })

  assert.deepEqual([missing.status, wrong.status], [401, 401])
  assert.match(missing.message, /Authorization: Bearer TOKEN/)
})

test('the admin is reached on its unix socket', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-client-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const socket = join(folder, 'admin.sock')
  await startObjectsSite(t, { socket })
  const client = createClient({ baseUrl: `unix:${socket}` })
  t.after(() => client.close())

  await client.objects.put('backend', 'b', {})

  assert.equal((await client.objects.get('backend', 'b')).id, 'b')
  const away = await refusal(t, { baseUrl: `unix:${folder}/other.sock` })
  assert.match(away.message, /^cannot reach the admin at unix:\S+: there is no such socket$/)
})

test('over TLS the admin is known by an authority or by its certificate, and the client by its own', async (t) => {
  const [authority, stranger] = [createAuthority(t), createAuthority(t)]
  const { cert, key } = authority.issue('localhost', '127.0.0.1')
  const named = authority.issue('admin.example')
  const clients = { ca: authority.cert, role: 'write' } as const
  const site = (pair: { cert: string; key: string }): Promise<{ origin: string }> =>
    startObjectsSite(t, {
      access: { tls: { cert, key, clients }, tokens },
      certificate: { cert: pair.cert, key: pair.key, ca: authority.cert },
    })
  const [{ origin }, other] = await Promise.all([site({ cert, key }), site(named)])
  const ops = authority.issue('ops.example')
  const own = { cert: ops.cert, key: ops.key }
  const reads = async (options: ClientOptions): Promise<unknown> => {
    const client = createClient(options)
    t.after(() => client.close())
    return client.sources()
  }

  assert.deepEqual(await reads({ baseUrl: origin, tls: { ca: authority.cert, ...own } }), [])
  assert.deepEqual(await reads({ baseUrl: origin, token: TOKEN, tls: { pin: cert } }), [])
  assert.deepEqual(
    await reads({
      ...{ baseUrl: other.origin, token: TOKEN },
      tls: { ca: authority.cert, serverName: 'admin.example' },
    }),
    [],
  )
  assert.deepEqual(
    await reads({ baseUrl: other.origin, token: TOKEN, tls: { pin: named.cert } }),
    [],
  )
  const untrusted = await refusal(t, { baseUrl: origin, token: TOKEN })
  const foreign = await refusal(t, { baseUrl: origin, token: TOKEN, tls: { ca: stranger.cert } })
  const misnamed = await refusal(t, { baseUrl: other.origin, tls: { ca: authority.cert } })
  const unpinned = await refusal(t, { baseUrl: origin, token: TOKEN, tls: { pin: named.cert } })

  for (const error of [untrusted, foreign, misnamed, unpinned]) assert.equal(error.status, null)
  assert.equal(misnamed.code, 'ERR_TLS_CERT_ALTNAME_INVALID')
})

test('options that cannot be used are refused before anything is sent', () => {
  const bad: readonly (readonly [ClientOptions, RegExp])[] = [
    [{ baseUrl: 'ftp://a' }, /^TypeError: baseUrl must be http/],
    [{ baseUrl: '127.0.0.1:8182' }, /baseUrl must be http/],
    [{ baseUrl: 'unix:admin.sock' }, /baseUrl must be http/],
    [{ baseUrl: 'http://u:p@a' }, /must have no user/],
    [{ baseUrl: 'http://a?x=1' }, /must have no user, query/],
    [{ token: 'a b' }, /^TypeError: token must be/],
    [{ token: 'a\r\nX: y' }, /^TypeError: token must be 1 to 4096 printable characters of ASCII/],
    [{ baseUrl: 'http://a', tls: {} }, /tls needs a baseUrl with https/],
    [{ baseUrl: 'https://a', token: 'x', tls: { verify: false } }, /to a stranger/],
    [{ baseUrl: 'https://a', tls: { cert: 'x' } }, /need each other/],
  ]

  for (const [options, message] of bad) assert.throws(() => createClient(options), message)
})

test('what is no response of an admin is an error that says so', async (t) => {
  const origin = await serve(t, (request, response) => {
    if (request.url === '/text/api/providers') response.writeHead(502).end('bad gateway\n')
    else if (request.url === '/moved/api/providers') {
      response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end()
    } else response.writeHead(200, { 'content-type': 'application/json' }).end('{"a":')
  })

  const text = await refusal(t, { baseUrl: `${origin}/text/` })
  const moved = await refusal(t, { baseUrl: `${origin}/moved` })
  const broken = await refusal(t, { baseUrl: origin })

  assert.deepEqual([text.status, text.message], [502, 'bad gateway'])
  assert.deepEqual([moved.status, moved.message.endsWith('with 302')], [302, true])
  assert.deepEqual([broken.status, broken.code], [200, 'MALFORMED'])
})

test('a response is bounded in size and time', async (t) => {
  const origin = await serve(t, (request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' })
    if (request.method === 'GET') response.end(JSON.stringify('x'.repeat(1000)))
    else response.write('"')
  })
  const aborted = AbortSignal.abort()

  const large = await refusal(t, { baseUrl: origin, maxBytes: 1000 })
  const slow = await refusal(t, { baseUrl: origin, timeoutMs: 20 }, undefined, 'POST')
  const given = await refusal(t, { baseUrl: origin }, aborted)

  assert.deepEqual([large.status, large.code], [null, 'TOO_LARGE'])
  assert.equal(slow.code, 'TIMEOUT')
  assert.match(slow.message, /did not respond in time; it is not known whether it was done/)
  assert.equal(given.code, 'ABORTED')
})

test('of a write whose connection breaks it is said that its outcome is not known', async (t) => {
  const origin = await listen(
    t,
    createTcpServer((socket) => {
      socket.on('error', () => {})
      socket.once('data', () => socket.destroy())
    }),
  )

  const written = await refusal(t, { baseUrl: origin }, undefined, 'PUT')
  const read = await refusal(t, { baseUrl: origin })
  const away = await refusal(t, { baseUrl: 'http://127.0.0.1:1' }, undefined, 'PUT')

  assert.match(written.message, /: the connection was closed; it is not known whether/)
  assert.match(read.message, /: the connection was closed$/)
  assert.match(away.message, /: nothing listens there$/)
})

test('a read on an idle connection that the server closes is sent again', async (t) => {
  let connections = 0
  const server = createTcpServer((socket) => {
    connections += 1
    let requests = 0
    socket.on('error', () => {})
    socket.on('data', () => {
      requests += 1
      if (requests === 2) socket.resetAndDestroy()
      else
        socket.write(
          'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n[]',
        )
    })
    t.after(() => socket.destroy())
  })
  const client = createClient({ baseUrl: await listen(t, server) })
  t.after(() => client.close())

  await client.sources()
  const again = await client.sources()

  assert.deepEqual(again, [])
  assert.equal(connections, 2)
})

test('many requests share few connections', async (t) => {
  const sockets = new Set<unknown>()
  const origin = await serve(t, (request, response) => {
    sockets.add(request.socket)
    response.writeHead(200, { 'content-type': 'application/json' }).end('[]')
  })
  const client = createClient({ baseUrl: origin })
  t.after(() => client.close())

  const answers = await Promise.all(Array.from({ length: 100 }, () => client.servers()))

  assert.equal(answers.length, 100)
  assert.ok(sockets.size <= 16, `${sockets.size} connections`)
})
