// Issue 4: a stall of our own never takes a server out. The whole program is stopped for seconds under load, and goes on.
import assert from 'node:assert/strict'
import { setTimeout as passed } from 'node:timers/promises'
import { test } from 'node:test'
import { startLoad } from '../support/load.ts'
import { startProgram } from '../support/program.ts'
import { get } from '../support/refusal.ts'
import { startNamed } from '../support/servers.ts'

/** Longer than every time limit, which in turn are long enough for a busy machine. */
const STOPPED_MS = 2_500

for (const workers of [0, 2]) {
  test(`a program that was stopped for seconds takes no server out (workers: ${workers})`, async (t) => {
    const servers = await Promise.all(['a', 'b', 'c'].map((name) => startNamed(t, name, 150)))
    const program = await startProgram(t, {
      workers,
      listeners: { web: { address: '127.0.0.1:0' } },
      backends: {
        b: {
          servers: Object.fromEntries(servers.map(({ url }, at) => [`s${at}`, url])),
          timeouts: { connect: '1s', firstByte: '1s', try: '1s' },
          health: { path: '/', interval: '1s', timeout: '1s', rise: 1, fall: 1 },
          ejection: { failures: 1, errors: 1 },
        },
      },
      frontends: { f: { route: 'PathPrefix("/")', backend: 'b' } },
    })
    const load = startLoad(t, { port: program.port, clients: 16, request: () => get('/') })
    await load.more(100)

    for (let time = 0; time < 2; time++) {
      program.signal('SIGSTOP')
      await passed(STOPPED_MS)
      program.signal('SIGCONT')
      await load.more(200)
    }

    const { statuses, failures } = await load.stop()
    assert.deepEqual(Object.keys(statuses), ['200'])
    assert.deepEqual(failures, [])
    const { text } = await program.ask('/metrics')
    const changes = text
      .split('\n')
      .filter((line) => /^sluice_server_(state_changes|ejections)_total/.test(line))
      .filter((line) => /to="(down|ejected)"|ejections/.test(line) && !line.endsWith(' 0'))
    assert.deepEqual(changes, [])
  })
}
