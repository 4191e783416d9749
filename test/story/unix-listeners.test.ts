// needs: curl
// Unix sockets of a program with several threads.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { makeFolder, startProgram } from '../support/program.ts'
import { startNamed } from '../support/servers.ts'

const run = promisify(execFile)

async function curl(...args: readonly string[]): Promise<string> {
  const { stdout } = await run('curl', ['--silent', '--show-error', '--noproxy', '*', ...args])
  return stdout
}

test('two threads serve a unix socket each, also after a kill', async (t) => {
  const server = await startNamed(t, 'server')
  const folder = makeFolder(t)
  // By their ids they belong to different threads.
  const [a, b] = [join(folder, 'a.sock'), join(folder, 'b.sock')]
  const config = {
    workers: 2,
    listeners: {
      a: { address: `unix:${a}`, socket: { mode: '0666' } },
      b: { address: `unix:${b}` },
    },
    backends: { s: { servers: { one: server.url } } },
    frontends: { f: { route: 'PathPrefix("/")', backend: 's' } },
  }
  const first = await startProgram(t, config, { folder })
  assert.equal(await curl('--unix-socket', a, 'http://a.test/'), 'server')

  first.signal('SIGKILL')
  await first.ended()
  assert.ok(existsSync(a) && existsSync(b), 'a killed program leaves its sockets')
  const program = await startProgram(t, config, { folder })

  for (const path of [a, b])
    assert.equal(await curl('--unix-socket', path, 'http://a.test/'), 'server')
  const { text } = await program.ask('/api/table')
  const { objects } = JSON.parse(text) as {
    readonly objects: readonly { readonly kind: string; readonly state?: { readonly at: string } }[]
  }
  const states = objects.flatMap(({ kind, state }) => (kind === 'listener' ? state : []))
  assert.deepEqual(
    states.map((state) => state?.at),
    [`unix:${a}`, `unix:${b}`],
  )

  program.signal('SIGTERM')
  assert.equal((await program.ended()).code, 0)
  assert.ok(!existsSync(a) && !existsSync(b), 'its sockets go with it')
})
