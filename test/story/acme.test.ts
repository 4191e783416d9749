// needs: pebble, etcd
// Certificates that come by themselves, from a real ACME server.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test, type TestContext } from 'node:test'
import { connect } from 'node:tls'
import { startPebble, type Pebble } from '../support/pebble.ts'
import { choosePort } from '../support/ports.ts'
import { makeFolder, startProgram } from '../support/program.ts'
import { eventually } from '../support/until.ts'

/** The name that the server's certificate is for; null: the handshake failed. */
async function nameAt(port: number, servername: string, ca: string): Promise<string | null> {
  const socket = connect({ host: '127.0.0.1', port, servername, ca })
  try {
    await once(socket, 'secureConnect')
    return socket.getPeerCertificate().subjectaltname ?? null
  } catch {
    return null
  } finally {
    socket.destroy()
  }
}

function route(name: string): object {
  return { route: `Host("${name}")`, respond: { status: 200, body: name } }
}

interface Site {
  readonly pebble: Pebble
  readonly ports: { readonly web: number; readonly secure: number }
  readonly config: object
}

async function prepare(t: TestContext, acme: object = {}): Promise<Site> {
  const [web, secure] = await Promise.all([choosePort(), choosePort()])
  const pebble = await startPebble(t, { httpPort: web, tlsPort: secure })
  const issuers = [{ directory: pebble.directoryUrl, caFile: pebble.ca }]
  return {
    pebble,
    ports: { web, secure },
    config: {
      acme: { email: 'ops@vote.example', agree: true, issuers, ...acme },
      listeners: {
        web: { address: `127.0.0.1:${web}` },
        secure: { address: `127.0.0.1:${secure}`, protocol: 'https' },
      },
    },
  }
}

test('a route gets its certificate by http-01, and the next one too, after a restart as well', async (t) => {
  const { pebble, ports, config } = await prepare(t)
  const root = await pebble.root()
  const frontends = { vote: route('vote.example') }
  const folder = makeFolder(t)
  const program = await startProgram(t, { ...config, frontends }, { folder })
  t.after(() => console.log(program.output().slice(0, 4000), pebble.log().slice(-1500)))

  await eventually(
    async () => (await nameAt(ports.secure, 'vote.example', root)) === 'DNS:vote.example',
    'vote.example has its certificate',
    20_000,
  )
  program.write({ ...config, frontends: { ...frontends, result: route('result.example') } })
  await eventually(
    async () => (await nameAt(ports.secure, 'result.example', root)) === 'DNS:result.example',
    'result.example has its certificate',
    20_000,
  )
  program.signal('SIGTERM')
  await program.ended()
  await pebble.kill()
  await startProgram(t, { ...config, frontends }, { folder })

  assert.equal(await nameAt(ports.secure, 'vote.example', root), 'DNS:vote.example')
})
