// What changes hands in an upgrade and what ends with it: listeners that the new file has not, an admin with TLS, signals.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createClient } from '../../src/client/client.ts'
import { writeRequest } from '../../src/process/upgrade/request.ts'
import { createAuthority } from '../support/certificates.ts'
import { choosePort } from '../support/ports.ts'
import { makeFolder, startProgram, toText } from '../support/program.ts'
import { startLoad } from '../support/load.ts'
import { get } from '../support/refusal.ts'
import { eventually } from '../support/until.ts'
import { isAlive, watchUpgrades } from '../support/upgrading.ts'
import { startVulcand } from '../support/vulcand.ts'

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
const VULCAND = fileURLToPath(new URL('../../src/vulcand.ts', import.meta.url))
const HERE = { all: { route: 'PathPrefix("/")', respond: { status: 200, body: 'here' } } }

/** An executable that starts the program by itself. */
function script(folder: string, name: string, lines: string): string {
  const path = join(folder, name)
  writeFileSync(path, `#!/bin/sh\n${lines}\n`, { mode: 0o755 })
  return path
}

/** What a client meets: `connected`, or the code of the error. */
async function connected(where: number | string): Promise<string> {
  const socket = typeof where === 'number' ? connect(where, '127.0.0.1') : connect(where)
  try {
    await once(socket, 'connect')
    return 'connected'
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code)
  } finally {
    socket.destroy()
  }
}

for (const workers of [0, 2]) {
  test(`listeners that the new file has not are closed with the old program (workers: ${workers})`, async (t) => {
    const folder = makeFolder(t)
    const path = join(folder, 'extra.sock')
    const port = await choosePort()
    const config = { workers, drain: '1s', data: join(folder, 'data'), frontends: HERE }
    const web = { address: `127.0.0.1:${await choosePort()}` }
    const program = await startProgram(
      t,
      {
        ...config,
        listeners: {
          web,
          extra: { address: `127.0.0.1:${port}` },
          sock: { address: `unix:${path}` },
        },
      },
      { folder },
    )
    const upgrading = watchUpgrades(t, program)
    // The old program does not see this file, so its listeners stay open until it drains.
    const other = join(folder, 'other.json')
    writeFileSync(other, toText({ ...config, listeners: { web } }))
    const to = script(
      folder,
      'next',
      `exec "${process.execPath}" "${MAIN}" serve --config "${other}"`,
    )
    mkdirSync(join(folder, 'data'), { recursive: true })
    writeRequest(join(folder, 'data'), { to, withinMs: 60_000 })
    const before = [await connected(port), await connected(path)]

    await upgrading.upgrade()
    await eventually(() => !isAlive(program.pid), 'the first process has ended')

    assert.deepEqual(before, ['connected', 'connected'])
    assert.equal(await connected(port), 'ECONNREFUSED')
    assert.match(await connected(path), /^(?:ECONNREFUSED|ENOENT)$/)
    assert.equal(await connected(program.port), 'connected')
  })
}

test('an admin with TLS and a unix socket of a listener follow the upgrade, and refuse nobody', async (t) => {
  const folder = makeFolder(t)
  const authority = createAuthority(t)
  const { certPath, keyPath, cert } = authority.issue('admin.test')
  const path = join(folder, 'web.sock')
  const adminPort = await choosePort()
  const program = await startProgram(
    t,
    {
      workers: 2,
      drain: '5s',
      admin: { address: `127.0.0.1:${adminPort}`, tls: { cert: certPath, key: keyPath } },
      listeners: { web: { address: '127.0.0.1:0' }, sock: { address: `unix:${path}` } },
      frontends: HERE,
    },
    { folder },
  )
  const upgrading = watchUpgrades(t, program)
  const refused: string[] = []
  const pids = new Set<number>()
  let isOver = false
  const looking = (async () => {
    while (!isOver) {
      const client = createClient({ baseUrl: `https://127.0.0.1:${adminPort}`, tls: { pin: cert } })
      const asked = client.request({ method: 'GET', path: '/api/process' })
      const pid = await asked.then(
        ({ body }) => (body as { pid: number }).pid,
        (error: unknown) => void refused.push(String(error)),
      )
      if (pid !== undefined) pids.add(pid)
      client.close()
      const local = await connected(path)
      if (local !== 'connected') refused.push(`${path}: ${local}`)
    }
  })()

  const next = [await upgrading.upgrade(), await upgrading.upgrade()]
  await eventually(() => pids.has(next[1] ?? 0), 'the last process responds')
  isOver = true
  await looking

  assert.deepEqual(refused, [])
})

test('SIGTERM to the old program during an upgrade ends the service', async (t) => {
  const program = await startProgram(t, {
    workers: 1,
    drain: '1s',
    listeners: { web: { address: '127.0.0.1:0' } },
    frontends: HERE,
  })
  const { folder } = program
  mkdirSync(join(folder, 'data'), { recursive: true })
  const started = join(folder, 'started')
  const slow = script(folder, 'slow', `echo $$ > "${started}"; exec sleep 600`)
  writeRequest(join(folder, 'data'), { to: slow, withinMs: 60_000 })
  program.signal('SIGUSR2')
  await program.logged('an upgrade begins')

  program.signal('SIGTERM')
  const { code } = await program.ended()

  assert.equal(code, 0)
  assert.equal(await connected(program.port), 'ECONNREFUSED')
  const reason = program.log().find(({ msg }) => msg.startsWith('the upgrade failed'))?.['reason']
  assert.equal(reason, 'this program was stopped')
})

test('SIGTERM to an old vulcand during an upgrade ends it once the new one serves', async (t) => {
  const folder = makeFolder(t)
  const vulcand = await startVulcand(t, ['-engine=memng', '-logSeverity=info'])
  const report = async (): Promise<{ pid: number; data: string }> => {
    const { text } = await vulcand.api('GET', '/api/process')
    return JSON.parse(text) as { pid: number; data: string }
  }
  const go = join(folder, 'go')
  const waits = `while [ ! -e "${go}" ]; do sleep 0.05; done`
  const to = script(folder, 'next', `${waits}; exec "${process.execPath}" "${VULCAND}" "$@"`)
  writeRequest((await report()).data, { to, withinMs: 60_000 })
  const load = startLoad(t, {
    ...{ port: vulcand.port, reconnects: true, pauseMs: 10, clients: 4 },
    request: () => get('/'),
  })
  await load.more(20)

  vulcand.signal('SIGUSR2')
  await eventually(
    async () => (await vulcand.api('GET', '/api/process')).text.includes('"starting"'),
    'the upgrade is under way',
  )
  vulcand.signal('SIGTERM')
  await eventually(() => vulcand.output().includes('ends once the upgrade'), 'it waits')
  writeFileSync(go, '')
  // Its output is that of the next one, too, so its end is not that of the output.
  await eventually(() => !isAlive(vulcand.pid), 'the first process has ended')
  const { pid: next } = await report()
  t.after(async () => {
    process.kill(next, 'SIGKILL')
    await eventually(() => !isAlive(next), 'the successor has ended')
  })
  await load.more(20)
  const result = await load.stop()

  assert.notEqual(next, vulcand.pid)
  assert.deepEqual([result.failures, result.refused], [[], 0])
})
