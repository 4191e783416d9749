import assert from 'node:assert/strict'
import { hash, X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer as createNetServer } from 'node:net'
import { request as httpRequest } from 'node:http'
import { request as httpsRequest, type RequestOptions } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { createAdmin, type AdminOptions } from '../../src/admin/server.ts'
import { NO_ACME } from '../../src/observe/reports/acme-report.ts'
import type { AccessSettings } from '../../src/admin/access.ts'
import { createAuthority } from '../support/certificates.ts'

const TOKENS = { ci: 'write', ops: 'drain', grafana: 'read' } as const
const tokens = Object.entries(TOKENS).map(([name, role]) => ({
  name,
  role,
  sha256: hash('sha256', `token-of-${name}`),
}))
const EVERYWHERE = { host: '', port: 0 }
const LOOPBACK = { host: '127.0.0.1', port: 0 }

interface Site {
  readonly port: number
  readonly logged: readonly { readonly fields: object; readonly message: string }[]
  ask(path: string, asked?: Asked): Promise<{ status: number; text: string; headers: object }>
}

interface Asked extends RequestOptions {
  readonly token?: string
  readonly isTls?: boolean
}

async function startAdmin(
  t: TestContext,
  settings: Partial<AccessSettings>,
  options: Partial<AdminOptions> = {},
): Promise<Site> {
  const logged: { fields: object; message: string }[] = []
  const log = (fields: object, message: string): number => logged.push({ fields, message })
  const access = { address: LOOPBACK, tokens: [], tls: null, anonymous: null, ...settings }
  const admin = await createAdmin({
    address: access.address,
    access: () => access,
    table: () => ({ objects: [], setAside: [] }),
    certificates: { certificates: () => [], acme: () => NO_ACME },
    servers: { servers: () => [], breakers: () => [] },
    metrics: { contentType: 'text/plain', render: async () => 'up 1\n' },
    ready: () => ({ ready: false, reason: 'source etcd is away', notListening: [] }),
    providers: () => [],
    confirm: () => 'confirmed',
    reload: () => true,
    log: { debug: log, info: log, warn: log, error: log },
    ...options,
  })
  t.after(() => admin.close())
  const { port } = admin.address
  return {
    port,
    logged,
    ask(path, { token, isTls = false, ...asked } = {}) {
      const headers = {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(asked.headers as object | undefined),
      }
      const open = isTls ? httpsRequest : httpRequest
      return new Promise((resolve, reject) => {
        const outgoing = open({ host: '127.0.0.1', port, path, agent: false, ...asked, headers })
        outgoing.once('error', reject)
        outgoing.once('response', (response) => {
          let text = ''
          response.setEncoding('utf8')
          response.on('data', (chunk: string) => (text += chunk))
          response.once('end', () =>
            resolve({ status: response.statusCode ?? 0, text, headers: response.headers }),
          )
        })
        outgoing.end()
      })
    },
  }
}

const ACTION = {
  method: 'POST',
  headers: { 'content-type': 'application/json', 'content-length': '0' },
}

/** Paths of the index, with a parameter in each place for one. */
async function pathsOf(site: Site): Promise<readonly (readonly [method: string, path: string])[]> {
  const { text } = await site.ask('/')
  return [...text.matchAll(/^(\/\S*)(?: {3}(POST|PUT|PATCH|DELETE)\b)?/gm)].map(
    ([, path = '', method = 'GET']) => [method, path.replaceAll(/\{\w+\}/g, 'x')] as const,
  )
}

test('an admin that other machines reach tells nothing without a token but whether it is ready', async (t) => {
  const site = await startAdmin(t, { address: EVERYWHERE })

  const paths = await pathsOf(site)
  const open = []
  for (const [method, path] of paths) {
    const { status, text } = await site.ask(path, { ...ACTION, method })
    if (status !== 401) open.push([method, path, status, text.length > 100 ? '...' : text])
  }

  assert.ok(paths.length > 10)
  assert.deepEqual(open, [
    ['GET', '/healthz', 200, 'ok\n'],
    ['GET', '/readyz', 503, '{"ready":false}\n'],
    ['GET', '/v1/status', 200, '{"Status":"ok"}'],
    ['GET', '/v2/status', 200, '{"Status":"ok"}'],
  ])
  assert.equal((await site.ask('/nothing')).status, 401)
  assert.match(site.logged[0]?.message ?? '', /refuses all but \/healthz and \/readyz/)
})

test('a token may do what its role says, and the log names it', async (t) => {
  const site = await startAdmin(t, { address: EVERYWHERE, tokens })
  const statusOf = async (token: string, path: string, asked: Asked = {}): Promise<number> =>
    (await site.ask(path, { token, ...asked })).status

  assert.equal(await statusOf('token-of-grafana', '/api/table'), 200)
  assert.equal(await statusOf('token-of-grafana', '/metrics'), 200)
  assert.equal(await statusOf('token-of-grafana', '/api/providers/etcd/confirm', ACTION), 403)
  assert.equal(await statusOf('token-of-ops', '/api/providers/etcd/confirm', ACTION), 200)
  assert.equal(await statusOf('token-of-ci', '/api/providers/etcd/reload', ACTION), 200)
  const changes = site.logged.filter(({ fields }) => 'who' in fields)
  assert.deepEqual(
    changes.map(({ fields, message }) => [(fields as { who: string }).who, message]),
    [
      ['token ops', 'what etcd declares now is taken as it is'],
      ['token ci', 'etcd is read again'],
    ],
  )
})

test('a probe with an unknown token learns what one without a token does', async (t) => {
  const site = await startAdmin(t, { tokens })

  const [health, ready] = await Promise.all(
    ['/healthz', '/readyz'].map((path) => site.ask(path, { token: 'of-yesterday' })),
  )

  assert.equal(health?.status, 200)
  assert.deepEqual([ready?.status, JSON.parse(ready?.text ?? '')], [503, { ready: false }])
  assert.equal((await site.ask('/metrics', { token: 'of-yesterday' })).status, 401)
})

test('an unknown token is refused, also where none is needed', async (t) => {
  const onLoopback = await startAdmin(t, {})
  const withTokens = await startAdmin(t, { tokens })

  assert.equal((await onLoopback.ask('/api/table')).status, 200)
  for (const site of [onLoopback, withTokens]) {
    for (const authorization of [
      ...['Bearer wrong', 'Bearer ', 'Basic dG9rZW4=', 'token-of-ci', 'Bearer token-of-ci x'],
      `Bearer ${tokens[0]?.sha256 ?? ''}`,
    ]) {
      const { status, headers } = await site.ask('/api/table', { headers: { authorization } })
      assert.equal(status, 401, authorization)
      assert.ok('www-authenticate' in headers)
    }
  }
})

test('with tokens, loopback needs one too, unless anonymous says otherwise', async (t) => {
  const closed = await startAdmin(t, { tokens })
  const scraped = await startAdmin(t, { tokens, anonymous: 'metrics' })

  assert.equal((await closed.ask('/metrics')).status, 401)
  assert.equal((await scraped.ask('/metrics')).status, 200)
  assert.equal((await scraped.ask('/api/table')).status, 401)
  assert.equal((await scraped.ask('/readyz')).text, '{"ready":false}\n')
})

test('tokens that change are in force for the next request', async (t) => {
  let access: AccessSettings = { address: LOOPBACK, tokens, tls: null, anonymous: null }
  const site = await startAdmin(t, {}, { access: () => access })

  assert.equal((await site.ask('/api/table', { token: 'token-of-ci' })).status, 200)
  access = { ...access, tokens: tokens.filter(({ name }) => name !== 'ci') }
  assert.equal((await site.ask('/api/table', { token: 'token-of-ci' })).status, 401)
  assert.equal((await site.ask('/api/table', { token: 'token-of-ops' })).status, 200)
})

test('over TLS, the certificate of a client has the role of its authority, and no other does', async (t) => {
  const authority = createAuthority(t)
  const stranger = createAuthority(t)
  const { cert, key } = authority.issue('localhost', '127.0.0.1')
  const clients = { ca: authority.cert, role: 'drain' } as const
  const site = await startAdmin(
    t,
    { tls: { cert, key, clients }, tokens },
    { certificate: { cert, key, ca: authority.cert } },
  )
  const client = authority.issue('ops.example')
  const other = stranger.issue('ops.example')
  const tls = { isTls: true, ca: authority.cert }

  const known = await site.ask('/api/providers/etcd/confirm', {
    ...{ ...tls, ...ACTION, cert: client.cert, key: client.key },
  })
  const without = await site.ask('/api/table', tls)
  const foreign = await site.ask('/api/table', { ...tls, cert: other.cert, key: other.key })
  const withToken = await site.ask('/api/table', { ...tls, token: 'token-of-grafana' })

  assert.equal(new X509Certificate(client.cert).subject, 'CN=ops.example')
  assert.deepEqual(
    [known.status, without.status, foreign.status, withToken.status],
    [200, 401, 401, 200],
  )
  const [change] = site.logged.filter(({ fields }) => 'who' in fields)
  assert.equal((change?.fields as { who: string }).who, 'certificate CN=ops.example')
})

test('a unix socket lets in its user alone, with any Host, and may write', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-admin-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const socket = join(folder, 'admin.sock')
  // Left over from a program that was killed.
  const dead = createNetServer().listen(socket)
  await new Promise((resolve) => dead.once('listening', resolve))
  const { rename } = await import('node:fs/promises')
  await rename(socket, `${socket}.kept`)
  await new Promise((resolve) => dead.close(resolve))
  await rename(`${socket}.kept`, socket).catch(() => {})
  const site = await startAdmin(t, { address: EVERYWHERE }, { socket })

  const done = await site.ask('/api/providers/etcd/confirm', {
    ...ACTION,
    socketPath: socket,
    headers: { ...ACTION.headers, host: 'anything' },
  })

  assert.equal(statSync(socket).mode & 0o777, 0o600)
  assert.equal(done.status, 200)
  const [change] = site.logged.filter(({ fields }) => 'who' in fields)
  assert.equal((change?.fields as { from: string }).from, 'unix')
})

test('a socket in use and a file that is no socket are left alone', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-admin-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const socket = join(folder, 'admin.sock')
  const file = join(folder, 'file')
  writeFileSync(file, 'kept')
  await startAdmin(t, {}, { socket })

  await assert.rejects(startAdmin(t, {}, { socket }), /another program serves it/)
  await assert.rejects(startAdmin(t, {}, { socket: file }), /a file that is no socket/)
})
