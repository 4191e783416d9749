// needs: pebble
// Certificates that come by themselves, from a real ACME server.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
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

test('proves a name by tls-alpn-01 where there is no http listener', async (t) => {
  const { pebble, ports, config } = await prepare(t)
  const root = await pebble.root()
  const { listeners } = config as { readonly listeners: { readonly secure: object } }
  const frontends = { vote: route('vote.example') }

  await startProgram(t, { ...config, listeners: { secure: listeners.secure }, frontends })

  await eventually(
    async () => (await nameAt(ports.secure, 'vote.example', root)) === 'DNS:vote.example',
    'vote.example has its certificate',
  )
  assert.doesNotMatch(pebble.log(), /Attempting to validate w.. HTTP/)
})

test('proves a wildcard by the TXT record of a hook, and removes the record', async (t) => {
  const folder = makeFolder(t)
  const calls = join(folder, 'calls')
  const hook = join(folder, 'hook.mjs')
  const { pebble, ports, config } = await prepare(t, {
    dns: { hook: [process.execPath, hook] },
  })
  const root = await pebble.root()
  writeFileSync(hook, hookOf(pebble.recordsUrl, calls))

  const program = await startProgram(t, {
    ...config,
    frontends: { any: { route: 'Host("*.vote.example")', respond: { status: 200 } } },
  })

  await eventually(
    async () => (await nameAt(ports.secure, 'any.vote.example', root)) === 'DNS:*.vote.example',
    'the wildcard has its certificate',
  )
  const [set = '', removed = '', ...more] = readFileSync(calls, 'utf8').trim().split('\n')
  assert.match(set, /^present _acme-challenge\.vote\.example [\w-]{43}$/)
  assert.equal(removed, set.replace('present', 'cleanup'))
  assert.deepEqual([more, program.log().filter(({ level }) => level === 'error')], [[], []])
})

test('shows why an issuer refused a name, in its own words, and when it is tried again', async (t) => {
  const { config } = await prepare(t, {
    dns: { hook: ['/bin/sh', '-c', 'echo no DNS today >&2; exit 3'] },
  })

  const program = await startProgram(t, {
    ...config,
    frontends: { any: { route: 'Host("*.vote.example")', respond: { status: 200 } } },
  })

  const table = await eventually(async () => {
    const { text } = await program.ask('/api/table')
    return text.includes('no DNS today') ? text : null
  }, 'the failure is a problem')
  assert.match(table, /it ended with 3.*it is tried again at 20/)
  const { text } = await program.ask('/metrics')
  assert.match(text, /sluice_acme_names\{state="failed"\} 1/)
  assert.match(text, /sluice_acme_orders_total\{issuer="127\.0\.0\.1",result="failed"\} 1/)
})

/** Sets records of pebble's resolver, and notes how it is called. */
function hookOf(records: string, calls: string): string {
  return `
import { appendFileSync } from 'node:fs'
const [action, name, value] = process.argv.slice(2)
appendFileSync(${JSON.stringify(calls)}, [action, name, value].join(' ') + '\\n')
const path = action === 'present' ? '/set-txt' : '/clear-txt'
const response = await fetch(${JSON.stringify(records)} + path, {
  method: 'POST',
  body: JSON.stringify({ host: name + '.', value }),
})
process.exitCode = response.ok ? 0 : 1
`
}
