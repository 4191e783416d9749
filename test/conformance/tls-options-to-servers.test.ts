// facts/vulcand.md 2.3 and 2.4: versions, suites and sessions of TLS towards servers, and probes of TCP, seen by the servers.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { after, test, type TestContext } from 'node:test'
import type { TLSSocket, TlsOptions } from 'node:tls'
import { createProbe } from '../../src/health/probe.ts'
import { parseBackend } from '../../src/schema/objects.ts'
import { createAuthority } from '../support/certificates.ts'
import { exchange } from '../support/client.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { value } from '../support/message.ts'
import { systemLookup } from '../support/names.ts'
import { OK, startOrigin, type Origin } from '../support/origin.ts'
import { get } from '../support/refusal.ts'
import { eventually } from '../support/until.ts'

const SUITE = 'ECDHE-ECDSA-AES256-GCM-SHA384'
const OTHER = 'ECDHE-ECDSA-AES128-GCM-SHA256'

const authority = createAuthority({ after })
const { cert, key } = authority.issue('127.0.0.1')

function startTlsOrigin(t: TestContext, options: TlsOptions = {}): Promise<Origin> {
  return startOrigin(t, OK, { cert, key, ...options })
}

function configTo(url: string, backend: object): object {
  return {
    listeners: { web: { address: '127.0.0.1:0' } },
    backends: { b: { servers: { s: url }, ...backend } },
    frontends: { f: { route: 'PathPrefix("/")', backend: 'b' } },
  }
}

function towards(t: TestContext, url: string, tls: object): Promise<TestGateway> {
  return startGateway(t, configTo(url, { tls: { verify: false, ...tls } }))
}

/** What the newest connection speaks. */
function spokenAt(origin: Origin): { version: string | null; suite: string } {
  const socket = origin.connections.at(-1)?.socket as TLSSocket
  return { version: socket.getProtocol(), suite: socket.getCipher().name }
}

interface Meeting {
  readonly what: string
  readonly server: TlsOptions
  readonly tls: object
  /** Null: none is found. */
  readonly version: string | null
  readonly suite?: string
}

const ONLY_12: TlsOptions = { maxVersion: 'TLSv1.2' }
const ONLY_13: TlsOptions = { minVersion: 'TLSv1.3' }
const ONE_SUITE: TlsOptions = { ...ONLY_12, ciphers: SUITE }

const MEETINGS: readonly Meeting[] = [
  { what: 'no option and TLS 1.2 alone', server: ONLY_12, tls: {}, version: 'TLSv1.2' },
  { what: 'no option and TLS 1.3 alone', server: ONLY_13, tls: {}, version: 'TLSv1.3' },
  {
    what: 'maxVersion and both versions',
    server: {},
    tls: { maxVersion: 'TLSv1.2' },
    version: 'TLSv1.2',
  },
  {
    what: 'minVersion and TLS 1.2 alone',
    server: ONLY_12,
    tls: { minVersion: 'TLSv1.3' },
    version: null,
  },
  {
    what: 'maxVersion and TLS 1.3 alone',
    server: ONLY_13,
    tls: { maxVersion: 'TLSv1.2' },
    version: null,
  },
  {
    what: 'the one suite of the server',
    server: ONE_SUITE,
    tls: { ciphers: ['TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384'] },
    version: 'TLSv1.2',
    suite: SUITE,
  },
  {
    what: 'another suite than the one of the server',
    server: ONE_SUITE,
    tls: { ciphers: [OTHER] },
    version: null,
  },
  {
    what: 'suites of TLS 1.2 and TLS 1.3 alone',
    server: ONLY_13,
    tls: { ciphers: [OTHER] },
    version: 'TLSv1.3',
  },
  {
    what: 'one suite of TLS 1.3',
    server: {},
    tls: { minVersion: 'TLSv1.3', ciphers: ['TLS_CHACHA20_POLY1305_SHA256'] },
    version: 'TLSv1.3',
    suite: 'TLS_CHACHA20_POLY1305_SHA256',
  },
]

for (const { what, server, tls, version, suite } of MEETINGS) {
  test(`a server is spoken to as both allow: ${what}`, async (t) => {
    const origin = await startTlsOrigin(t, server)
    const gateway = await towards(t, origin.url, tls)

    const response = await exchange(t, gateway.port, get('/'))

    if (version === null) {
      assert.equal(response.status, 502)
      assert.match(value(response, 'proxy-status') ?? '', /error=tls_protocol_error/)
      assert.equal(origin.requests.length, 0)
      return
    }
    assert.equal(response.status, 200)
    const spoken = spokenAt(origin)
    assert.equal(spoken.version, version)
    if (suite !== undefined) assert.equal(spoken.suite, suite)
  })
}

test('a change of the versions is for new connections', async (t) => {
  const origin = await startTlsOrigin(t)
  const gateway = await towards(t, origin.url, {})
  await exchange(t, gateway.port, get('/'))
  const before = spokenAt(origin).version

  await gateway.apply(configTo(origin.url, { tls: { verify: false, maxVersion: 'TLSv1.2' } }))
  await exchange(t, gateway.port, get('/'))
  await exchange(t, gateway.port, get('/'))

  assert.deepEqual([before, spokenAt(origin).version], ['TLSv1.3', 'TLSv1.2'])
  assert.deepEqual(
    origin.requests.map(({ connection }) => connection.number),
    [1, 2, 2],
  )
})

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`a session of ${version} is resumed with tickets alone`, async (t) => {
    const origin = await startTlsOrigin(t, { minVersion: version, maxVersion: version })
    const seen: boolean[] = []
    origin.follow((_request, connection) => {
      seen.push((connection.socket as TLSSocket).isSessionReused())
      connection.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok')
    })
    for (const tickets of [true, false]) {
      const gateway = await towards(t, origin.url, { tickets })
      for (let turn = 0; turn < 2; turn++) {
        assert.equal((await exchange(t, gateway.port, get('/'))).status, 200)
      }
    }

    assert.deepEqual(seen, [false, true, false, false])
  })
}

// Node verifies no name on a session that is resumed (CVE-2026-48934), and OpenSSL no certificate.
test('a session from before a change of what is verified is not resumed', async (t) => {
  const origin = await startTlsOrigin(t, ONLY_12)
  origin.follow((_request, connection) =>
    connection.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok'),
  )
  const trusting = { ca: authority.certPath }
  const stranger = createAuthority(t).certPath
  const gateway = await startGateway(t, configTo(origin.url, { tls: trusting }))

  const statuses = []
  for (const tls of [
    trusting,
    { ...trusting, serverName: 'other.test' },
    trusting,
    { ca: stranger },
    { verify: false },
    {},
  ]) {
    await gateway.apply(configTo(origin.url, { tls }))
    statuses.push((await exchange(t, gateway.port, get('/'))).status)
  }

  assert.deepEqual(statuses, [200, 502, 200, 502, 200, 502])
})

test('a probe speaks the versions that requests speak', async (t) => {
  const origin = await startTlsOrigin(t, ONLY_12)
  const probe = createProbe('test', systemLookup)

  const results = []
  for (const minVersion of ['TLSv1.3', 'TLSv1.2']) {
    const tls = { verify: false, minVersion }
    const declared = { servers: { s: origin.url }, tls, health: { path: '/up' } }
    const parsed = parseBackend('b', declared, () => '')
    assert.ok(parsed.ok)
    const { servers, health: check, ...backend } = parsed.value
    const [server] = servers
    assert.ok(server !== undefined && check !== null)
    const target = { ...backend, server, check, wire: 'http/1.1' } as const
    results.push(await probe(target, new AbortController().signal))
  }

  const [tooNew, spoken] = results
  assert.match(JSON.stringify(tooNew), /"ok":false.*protocol version/i)
  assert.equal(spoken?.ok, true)
})

for (const scheme of ['http', 'https', 'tcp'] as const) {
  test(
    `TCP probes a silent ${scheme} server after keepAlive.period alone`,
    { skip: process.platform !== 'linux' && 'timers of sockets are read from /proc' },
    async (t) => {
      const origin = scheme === 'https' ? await startTlsOrigin(t) : await startOrigin(t)
      const times: (number | null)[] = []
      for (const keepAlive of [{}, { period: '1200s' }, { period: '2000500ms' }]) {
        const open = origin.connections.length
        const config = configTo(`${scheme}://127.0.0.1:${origin.port}`, {
          tls: { verify: false },
          keepAlive,
        }) as Record<string, object>
        const gateway = await startGateway(
          t,
          scheme === 'tcp'
            ? {
                ...config,
                listeners: { web: { address: '127.0.0.1:0', protocol: 'tcp', backend: 'b' } },
                frontends: {},
              }
            : config,
        )
        // The second connection of a stream is made without a socket.
        for (let turn = 0; turn < (scheme === 'tcp' ? 2 : 1); turn++) await ask(t, gateway.port)

        const [own] = origin.connections.slice(open).slice(-1)
        assert.ok(own)
        times.push(keepAliveSeconds(own.socket.remotePort ?? 0, origin.port))
      }

      const [none, whole, rounded] = times
      assert.equal(none, null)
      assert.ok(whole !== null && whole !== undefined && whole > 1_100 && whole <= 1_200)
      assert.ok(rounded !== null && rounded !== undefined && rounded > 1_900 && rounded <= 2_001)
    },
  )
}

async function ask(t: TestContext, port: number): Promise<void> {
  const socket = connect(port, '127.0.0.1').on('error', () => {})
  t.after(() => socket.destroy())
  let received = ''
  socket.on('data', (bytes: Buffer) => (received += bytes.toString('latin1')))
  socket.write(get('/'))
  await eventually(() => received.endsWith('ok'), 'the response')
}

/** Until TCP probes the peer of the connection between these ports; null: never. */
function keepAliveSeconds(from: number, to: number): number | null {
  const hex = (port: number): string => `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  for (const line of readFileSync('/proc/net/tcp', 'latin1').split('\n')) {
    const [, local = '', remote = '', , , timer = ''] = line.trim().split(/\s+/)
    if (!local.endsWith(hex(from)) || !remote.endsWith(hex(to))) continue
    const [kind, when = ''] = timer.split(':')
    return kind === '02' ? Number.parseInt(when, 16) / 100 : null
  }
  throw new Error(`no connection from port ${from} to port ${to}`)
}
