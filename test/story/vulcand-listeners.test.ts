// Hosts and listeners of vulcand's API, brought into force on live sockets. facts of vulcand: 2.1 to 2.3.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { connect as connectTls, type ConnectionOptions } from 'node:tls'
import { createAuthority } from '../support/certificates.ts'
import { choosePort } from '../support/ports.ts'
import { makeFolder, type Program, startProgram } from '../support/program.ts'
import { get } from '../support/refusal.ts'
import { startNamed } from '../support/servers.ts'
import { eventually } from '../support/until.ts'

interface Daemon extends Program {
  readonly base: string
  /** Writes an object; the status and the text of the response. */
  post(path: string, body: object): Promise<string>
  remove(path: string): Promise<string>
  /** The state of a listener in force, or why it is set aside. */
  stateOf(id: string): Promise<string>
}

async function startDaemon(t: TestContext): Promise<Daemon> {
  const server = await startNamed(t, 'server')
  const program = await startProgram(t, {
    workers: 2,
    data: makeFolder(t),
    listeners: { web: { address: '127.0.0.1:0' } },
  })
  const base = `http://127.0.0.1:${program.admin}`
  const send = async (method: string, path: string, body?: object): Promise<string> => {
    const response = await fetch(`${base}${path}`, {
      method,
      headers: { 'Content-Type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    return `${response.status} ${await response.text()}`
  }
  const daemon: Daemon = {
    ...program,
    base,
    post: (path, body) => send('POST', path, body),
    remove: (path) => send('DELETE', path),
    async stateOf(id) {
      const table = JSON.parse((await program.ask('/api/table')).text) as {
        readonly objects: readonly { kind: string; id: string; state?: { at: string | null } }[]
        readonly setAside: readonly { kind: string; id: string; message: string }[]
      }
      const isIt = (one: { kind: string; id: string }): boolean =>
        one.kind === 'listener' && one.id === id
      const reason = table.setAside.find(isIt)?.message
      return reason ?? table.objects.find(isIt)?.state?.at ?? 'nowhere'
    },
  }
  const [settings, wrapped] = [{}, { Backend: { Id: 'b', Type: 'http', Settings: {} } }]
  assert.match(await daemon.post('/v2/backends', wrapped), /^200 /)
  const one = { Server: { Id: 's', URL: server.url } }
  assert.match(await daemon.post('/v2/backends/b/servers', one), /^200 /)
  const frontend = { Id: 'f', Type: 'http', BackendId: 'b', Route: 'PathRegexp("/")' }
  assert.match(
    await daemon.post('/v2/frontends', { Frontend: { ...frontend, Settings: settings } }),
    /^200 /,
  )
  return daemon
}

function listener(Id: string, Address: string, more: object = {}): object {
  const Network = Address.startsWith('/') ? 'unix' : 'tcp'
  return { Listener: { Id, Protocol: 'http', Address: { Network, Address }, ...more } }
}

/** All that comes for a request until the connection ends; '' if there is none. */
async function ask(where: number | string, sent = get('/', 'Connection: close')): Promise<string> {
  const socket = typeof where === 'number' ? connect(where, '127.0.0.1') : connect({ path: where })
  let received = ''
  socket.on('error', () => {})
  socket.on('data', (data: Buffer) => (received += data.toString()))
  socket.write(sent)
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve))
  return received
}

const OK = /^HTTP\/1\.1 200 /

test('a listener of the API listens, moves, is scoped and goes, without a restart', async (t) => {
  const daemon = await startDaemon(t)
  const [first, second] = [await choosePort(), await choosePort()]
  assert.match(await daemon.post('/v2/listeners', listener('l', `127.0.0.1:${first}`)), /^200 /)
  await eventually(async () => OK.test(await ask(first)), 'the listener listens')

  // The scope comes into force on the connection that is open.
  const kept = connect(first, '127.0.0.1')
  kept.on('error', () => {})
  const next = async (): Promise<string> => {
    kept.write(get('/'))
    const [data] = (await once(kept, 'data')) as [Buffer]
    return data.toString().slice(9, 12)
  }
  assert.equal(await next(), '200')
  const scoped = listener('l', `127.0.0.1:${first}`, { Scope: 'Host("other.test")' })
  assert.match(await daemon.post('/v2/listeners', scoped), /^200 /)
  await eventually(async () => (await next()) === '404', 'the scope is in force')
  assert.match(
    await ask(first, get('/', 'Connection: close').replace(/Host: .*/, 'Host: other.test')),
    OK,
  )

  // vulcand silently keeps the old address.
  assert.match(await daemon.post('/v2/listeners', listener('l', `127.0.0.1:${second}`)), /^200 /)
  await eventually(async () => OK.test(await ask(second)), 'the listener has moved')
  await eventually(async () => (await ask(first)) === '', 'its former address is free')
  assert.equal(await daemon.stateOf('l'), `127.0.0.1:${second}`)

  // Two on one address: the one in force keeps it.
  await daemon.post('/v2/listeners', listener('m', `127.0.0.1:${second}`))
  await eventually(
    async () => (await daemon.stateOf('m')).endsWith('listener "l" already holds it'),
    'the second one is set aside with the reason',
  )
  assert.match(await ask(second), OK)

  assert.match(await daemon.remove('/v2/listeners/l'), /^200 /)
  await eventually(
    async () => (await daemon.stateOf('m')) === `127.0.0.1:${second}`,
    'the one that waits takes its place',
  )
  assert.match(await daemon.remove('/v2/listeners/m'), /^200 /)
  await eventually(async () => (await ask(second)) === '', 'no listener is left')
})

test('a listener of the API takes PROXY headers, a unix socket, and nothing of the admin', async (t) => {
  const daemon = await startDaemon(t)
  const [port, path] = [await choosePort(), join(daemon.folder, 'l.sock')]
  const proxied = listener('p', `127.0.0.1:${port}`, { ProxyProtocol: 'proxy_v1' })
  assert.match(await daemon.post('/v2/listeners', proxied), /^200 /)
  assert.match(await daemon.post('/v2/listeners', listener('u', path)), /^200 /)

  const closing = get('/', 'Connection: close')
  for (const header of ['', 'PROXY TCP4 203.0.113.9 192.0.2.1 5000 80\r\n'])
    await eventually(async () => OK.test(await ask(port, header + closing)), `with ${header}`)
  await eventually(async () => OK.test(await ask(path)), 'the unix socket is served')
  assert.match(await daemon.remove('/v2/listeners/u'), /^200 /)
  await eventually(() => !existsSync(path), 'its file goes with it')

  for (const at of [`127.0.0.1:${daemon.admin}`, `:${daemon.admin}`]) {
    await daemon.post('/v2/listeners', listener('thief', at))
    await eventually(async () => {
      return /the admin already holds it|nowhere/.test(await daemon.stateOf('thief'))
    }, 'the admin keeps its port')
    assert.equal((await daemon.ask('/v2/status')).text, '{"Status":"ok"}')
  }
})

test('hosts and TLS settings of the API come into force on open sockets', async (t) => {
  const daemon = await startDaemon(t)
  const authority = createAuthority(t)
  const port = await choosePort()
  const hostOf = (name: string, isDefault: boolean): object => {
    const { cert, key } = authority.issue(name)
    const base64 = (text: string): string => Buffer.from(text).toString('base64')
    const KeyPair = { Cert: base64(cert), Key: base64(key) }
    return { Host: { Name: name, Settings: { KeyPair, Default: isDefault } } }
  }
  const secure = (TLS: object): object =>
    listener('s', `127.0.0.1:${port}`, { Protocol: 'https', Settings: { TLS } })
  /** The protocol, the suite and the name of the certificate, or ''. */
  const shake = (options: ConnectionOptions): Promise<string> =>
    new Promise((resolve) => {
      const socket = connectTls({ port, host: '127.0.0.1', ca: authority.cert, ...options }, () => {
        const { CN } = socket.getPeerCertificate().subject
        resolve(`${socket.getProtocol()} ${socket.getCipher().name} ${CN}`)
        socket.destroy()
      })
      socket.on('error', () => resolve(''))
    })
  const unverified = { rejectUnauthorized: false }

  assert.match(await daemon.post('/v2/hosts', hostOf('a.test', false)), /^200 /)
  assert.match(await daemon.post('/v2/listeners', secure({})), /^200 /)
  await eventually(
    async () => (await shake({ servername: 'a.test' })).endsWith(' a.test'),
    'the first host is served',
  )
  assert.match(await shake({ servername: 'a.test' }), /^TLSv1\.3 /)

  // Another host is hot, and the default one serves unknown names and clients without one.
  assert.match(await daemon.post('/v2/hosts', hostOf('b.test', true)), /^200 /)
  await eventually(
    async () => (await shake({ ...unverified, servername: 'c.test' })).endsWith(' b.test'),
    'the default host is served',
  )
  assert.match(await shake({ servername: 'a.test' }), / a\.test$/)
  assert.match(await shake({ ...unverified, servername: '' }), / b\.test$/)

  const suite = 'TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384'
  const pinned = secure({
    ...{ MinVersion: 'VersionTLS12', MaxVersion: 'VersionTLS12', CipherSuites: [suite] },
    ...{ SessionTicketsDisabled: true, PreferServerCipherSuites: true },
  })
  assert.match(await daemon.post('/v2/listeners', pinned), /^200 /)
  await eventually(
    async () =>
      (await shake({ servername: 'a.test' })) === 'TLSv1.2 ECDHE-ECDSA-AES256-GCM-SHA384 a.test',
    'versions and suites are in force',
  )
  assert.equal(await shake({ servername: 'a.test', minVersion: 'TLSv1.3' }), '')
  assert.match(
    await daemon.post('/v2/listeners', secure({ CipherSuites: ['TLS_FAST'] })),
    /TLS_FAST\\?" is no cipher suite/,
  )

  // A host that goes takes its certificate along.
  assert.match(await daemon.remove('/v2/hosts/b.test'), /^200 /)
  await eventually(
    async () => (await shake({ ...unverified, servername: 'b.test' })).endsWith(' a.test'),
    'the other host serves all names',
  )
})
