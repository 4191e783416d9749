// Issue: settings from default < file < environment < flag; "Bad input": what stops a start says so in one line, what
// does not is set aside and the rest serves.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { openClient } from '../support/client.ts'
import { listen } from '../support/origin.ts'
import { choosePort } from '../support/ports.ts'
import {
  askAdmin,
  makeFolder,
  runProgram,
  spawnProgram,
  startProgram,
  toText,
  type Ended,
} from '../support/program.ts'
import { get } from '../support/refusal.ts'
import { eventually } from '../support/until.ts'

const RESPOND = { route: 'PathPrefix("/")', respond: { status: 200, body: 'here' } }

interface Seen {
  readonly workers: number
  /** Whether an access log is written, and how. */
  readonly access: 'json' | 'common' | 'off'
}

/** What is in force, as a user sees it: at /metrics and in the log. */
async function settingsOf(
  t: TestContext,
  file: object,
  env: Readonly<Record<string, string>>,
  args: readonly string[],
): Promise<Seen> {
  const text = JSON.stringify({
    ...file,
    listeners: { web: { address: `127.0.0.1:${await choosePort()}` } },
    frontends: { all: RESPOND },
  })
  const program = await startProgram(t, text, {
    env,
    args: ['--admin-address', '127.0.0.1:0', ...args],
  })
  const client = await openClient(t, program.port)
  await client.ask(get('/seen'))
  client.end()
  const { text: metrics } = await program.ask('/metrics')
  program.signal('SIGTERM')
  const { output } = await program.ended()
  return {
    workers: Number(/^sluice_workers\{state="running"\} (\d+)$/m.exec(metrics)?.[1]),
    access: /^\{.*"path":"\/seen"/m.test(output)
      ? 'json'
      : /"GET \/seen HTTP\/1\.1"/.test(output)
        ? 'common'
        : 'off',
  }
}

test('a flag goes before the variable, the variable before the file, the file before the default', async (t) => {
  const file = { workers: 3, log: { access: 'off' } }
  const env = { SLUICE_WORKERS: '1', SLUICE_LOG_ACCESS: 'common' }

  const [byDefault, byFile, byVariable, byFlag] = await Promise.all([
    settingsOf(t, {}, {}, []),
    settingsOf(t, file, {}, []),
    settingsOf(t, file, env, []),
    settingsOf(t, file, env, ['--workers', '2', '--log-access=json']),
  ])

  assert.deepEqual(byDefault, { workers: availableParallelism(), access: 'json' })
  assert.deepEqual(byFile, { workers: 3, access: 'off' })
  assert.deepEqual(byVariable, { workers: 1, access: 'common' })
  assert.deepEqual(byFlag, { workers: 2, access: 'json' })
})

/** Runs `serve`, which ends by itself, with one line on standard error. */
async function refusedStart(
  t: TestContext,
  text: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Ended & { readonly line: string }> {
  const folder = makeFolder(t)
  const path = join(folder, 'sluice.yaml')
  writeFileSync(path, text)
  const ended = await runProgram(t, ['serve', '--config', path], {
    SLUICE_ADMIN_ADDRESS: '127.0.0.1:0',
    ...env,
  })
  assert.equal(ended.code, 1, ended.output)
  assert.match(ended.errors, /^sluice: [^\n]+\n$/, 'one line')
  return { ...ended, line: ended.errors.replaceAll(folder, '').trimEnd() }
}

async function holdPort(t: TestContext): Promise<number> {
  const server = createServer()
  t.after(() => new Promise((resolve) => server.close(resolve)))
  return listen(server)
}

test('an error that leaves nothing to serve stops the start and is reported in one line', async (t) => {
  const held = await holdPort(t)

  const [garbled, missing, listener, admin, certificate, nothing, variable] = await Promise.all([
    refusedStart(t, 'listeners:\n  web: { address: [}\n'),
    runProgram(t, ['serve', '--config', 'no/such.yaml', '--admin-address', '127.0.0.1:0']),
    refusedStart(t, `listeners: { web: { address: '127.0.0.1:${held}' } }\n`),
    refusedStart(t, `listeners: { web: { address: '127.0.0.1:0' } }\n`, {
      SLUICE_ADMIN_ADDRESS: `127.0.0.1:${held}`,
    }),
    refusedStart(
      t,
      `listeners:
  web: { address: '127.0.0.1:0', protocol: https, tls: { certificates: [{ cert: no.pem, key: no.key }] } }
`,
    ),
    refusedStart(t, 'frontends: {}\n'),
    refusedStart(t, `listeners: { web: { address: '127.0.0.1:0' } }\n`, { SLUICE_WROKERS: '2' }),
  ])

  assert.match(garbled.line, /^sluice: \/sluice\.yaml:2:\d+: is not valid YAML/)
  assert.equal(missing.code, 1)
  assert.match(missing.errors, /^sluice: no\/such\.yaml: .*there is no such file\n$/)
  assert.match(
    listener.line,
    new RegExp(`cannot listen on 127\\.0\\.0\\.1:${held} \\(listener "web"\\): the port is in use`),
  )
  assert.match(
    admin.line,
    new RegExp(`cannot listen on 127\\.0\\.0\\.1:${held} \\(admin\\): the port is in use`),
  )
  assert.match(certificate.line, /listener "web": .*no\.pem/)
  assert.match(nothing.line, /no listener is declared/)
  assert.match(variable.line, /unknown variable "SLUICE_WROKERS", did you mean "SLUICE_WORKERS"\?/)
})

test('a second Sluice on the same port is refused, not let in to share it', async (t) => {
  const address = `127.0.0.1:${await choosePort()}`
  await startProgram(t, { workers: 2, listeners: { web: { address } } })

  const second = await refusedStart(
    t,
    `workers: 2\nlisteners: { web: { address: '${address}' } }\n`,
  )

  assert.match(second.line, /\(listener "web"\): the port is in use/)
  // There was no drain that could have taken too long.
  assert.doesNotMatch(second.output, /drain/)
})

test('errors of the file are reported before errors of the admin', async (t) => {
  const held = await holdPort(t)

  const { line } = await refusedStart(t, 'listeners: [\n', {
    SLUICE_ADMIN_ADDRESS: `127.0.0.1:${held}`,
  })

  assert.match(line, /sluice\.yaml:\d+:\d+: is not valid YAML/)
})

test('bad objects at the start are set aside, and the rest serves', async (t) => {
  const held = await holdPort(t)
  const program = await startProgram(t, {
    workers: 2,
    drain: 'soon',
    listeners: {
      web: { address: `127.0.0.1:${await choosePort()}` },
      taken: { address: `127.0.0.1:${held}` },
      secure: {
        address: `127.0.0.1:${await choosePort()}`,
        protocol: 'https',
        tls: { certificates: [{ cert: 'no.pem', key: 'no.key' }] },
      },
    },
    backends: { bad: { servers: { one: 'ftp://127.0.0.1:21' } } },
    frontends: {
      all: RESPOND,
      bad: { route: 'Host("a"', respond: { status: 200 } },
      lost: { route: 'Path("/lost")', backend: 'bad' },
    },
  })
  const client = await openClient(t, program.port)

  const response = await client.ask(get('/lost'))
  const table = JSON.parse((await program.ask('/api/table')).text) as {
    setAside: { kind: string; id: string; message: string; line: number; serving: boolean }[]
    threadProblems: string[]
  }

  assert.equal(response.body.toString(), 'here')
  assert.deepEqual(
    new Set(table.setAside.map(({ kind, id, serving }) => `${kind} ${id} ${serving}`)),
    new Set([
      'backend bad false',
      'frontend bad false',
      'frontend lost false',
      'listener secure false',
    ]),
  )
  for (const { message, line } of table.setAside) assert.ok(message !== '' && line > 1)
  assert.deepEqual(
    table.threadProblems.map((problem) => problem.replace(/:.*/s, '')),
    ['cannot listen on 127.0.0.1'],
  )
  assert.match(table.threadProblems[0] ?? '', new RegExp(`${held}.*the port is in use`))
  assert.ok(program.log().some(({ level, msg }) => level === 'warn' && msg.includes('"soon"')))
  assert.equal((await program.ask('/readyz')).status, 200)
})

test('it is not ready before the first table is in force', async (t) => {
  const admin = await choosePort()
  const path = join(makeFolder(t), 'sluice.json')
  writeFileSync(
    path,
    toText({
      workers: 2,
      admin: { address: `127.0.0.1:${admin}` },
      listeners: { web: { address: `127.0.0.1:${await choosePort()}` } },
    }),
  )
  const program = spawnProgram(t, ['serve', '--config', path])

  const seen = new Map<number, string>()
  for (;;) {
    const response = await eventually(() => true, 'a turn').then(() =>
      askAdmin(admin, '/readyz').catch(() => program.failure()),
    )
    if (response !== null && !seen.has(response.status)) seen.set(response.status, response.text)
    if (response?.status === 200) break
  }

  assert.deepEqual(
    [...seen].map(([status, text]) => [status, JSON.parse(text) as unknown]),
    [
      [503, { ready: false, reason: 'the first table is not in force yet', notListening: [] }],
      [200, { ready: true, reason: 'ready', notListening: [] }],
    ],
  )
})
