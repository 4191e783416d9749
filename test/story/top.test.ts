// Issue 14: "`sluice top` live in the terminal": in a real one, with traffic through a running Sluice.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { OK, respondWith, startOrigin } from '../support/origin.ts'
import { askAdmin, type Program, runProgram, startProgram } from '../support/program.ts'
import { openPty, type Pty } from '../support/pty.ts'

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
const OPENED = '\x1b[?1049h\x1b[?25l'
const CLOSED = '\x1b[?25h\x1b[?1049l'

async function startSite(t: TestContext): Promise<Program> {
  const origin = await startOrigin(t, respondWith(OK))
  const program = await startProgram(t, {
    workers: 1,
    listeners: { web: { address: '127.0.0.1:0' } },
    backends: { vote: { servers: { v1: `http://127.0.0.1:${origin.port}` } } },
    frontends: { vote: { route: 'PathPrefix("/")', backend: 'vote' } },
  })
  for (let times = 0; times < 5; times++) await askAdmin(program.port, '/')
  return program
}

test('prints a table once, and JSON', async (t) => {
  const program = await startSite(t)
  const url = ['--vulcan', `http://127.0.0.1:${program.admin}`]

  const [table, piped, json, gone] = await Promise.all([
    runProgram(t, ['top', '--once', ...url]),
    runProgram(t, ['top', ...url]),
    runProgram(t, ['top', '-refresh', '0', '--json', '-b', 'vote', ...url]),
    runProgram(t, ['top', '--once', '--vulcan', 'http://127.0.0.1:1']),
  ])

  assert.deepEqual([table.code, table.errors], [0, ''])
  assert.match(
    table.output,
    /\[Frontends\]\nId +Route +Breaker +R\/sec .*\nvote +PathPrefix\("\/"\) +\d+\.\d /,
  )
  assert.match(table.output, /200: 100\.00/)
  assert.match(table.output, /\[Backends\]\n.*\nvote +1 of 1 /)
  assert.match(table.output, /\[Servers\]\n.*\nv1 +http:/)
  assert.ok(!table.output.includes('\x1b'))
  // Without a terminal it does not run on.
  assert.match(piped.output, /\[Frontends\]/)
  const { frontends } = JSON.parse(json.output) as { frontends: readonly { id: string }[] }
  assert.deepEqual(
    frontends.map(({ id }) => id),
    ['vote'],
  )
  assert.deepEqual([gone.code, gone.output], [1, ''])
  assert.match(gone.errors, /cannot reach the admin/)
})

test('live, it follows the size of the terminal, and gives the terminal back however it ends', async (t) => {
  const program = await startSite(t)
  const url = `http://127.0.0.1:${program.admin}`
  const command = `'${process.execPath}' '${MAIN}' top --refresh 100ms --vulcan ${url}`
  const open = (): Pty => openPty(t, command, { columns: 120, rows: 30, env: { NO_COLOR: '1' } })
  const [quit, interrupted, terminated] = [open(), open(), open()]
  const all = [quit, interrupted, terminated]
  await Promise.all(
    all.map((pty) => pty.until(() => pty.output().includes('[Servers]'), 'a table')),
  )
  const before = quit.output().length

  quit.resize(40, 12)
  // A line that is cut ends with ~.
  await quit.until(() => /~\x1b\[K\r\n/.test(quit.output().slice(before)), 'lines are cut')
  quit.type('q')
  interrupted.signal('SIGINT')
  terminated.signal('SIGTERM')
  const codes = await Promise.all(all.map((pty) => pty.ended()))

  assert.deepEqual(codes, [0, 0, 0])
  for (const pty of all) {
    const output = pty.output().trimEnd()
    assert.ok(output.startsWith(OPENED), JSON.stringify(output.slice(0, 60)))
    assert.ok(output.endsWith(CLOSED), JSON.stringify(output.slice(-60)))
    const inside = output.slice(OPENED.length, -CLOSED.length)
    assert.ok(!inside.replaceAll(/\x1b\[[HJK]/g, '').includes('\x1b'), JSON.stringify(inside))
  }
})
