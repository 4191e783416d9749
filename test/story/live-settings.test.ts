// Settings in a running file: some change at once, the others say that they need a restart.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openClient } from '../support/client.ts'
import { startEchoOrigin } from '../support/origin.ts'
import { startProgram } from '../support/program.ts'

for (const workers of [0, 1]) {
  test(`trusted and log.level change, workers say why they do not, with ${workers} workers`, async (t) => {
    const origin = await startEchoOrigin(t)
    const config = {
      workers,
      listeners: { web: { address: '127.0.0.1:0' } },
      backends: { b: { servers: { one: origin.url } } },
      frontends: { all: { route: 'PathPrefix("/")', backend: 'b' } },
    }
    const program = await startProgram(t, config)
    const clientSeen = async (): Promise<string | undefined> => {
      const client = await openClient(t, program.port)
      await client.ask('GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n')
      const { fields } = origin.requests.at(-1) ?? assert.fail('no request has come')
      return fields.find(([name]) => name.toLowerCase() === 'x-real-ip')?.[1]
    }

    const before = await clientSeen()
    program.write({
      ...config,
      workers: 7,
      trusted: ['127.0.0.0/8'],
      log: { access: 'off', level: 'debug' },
    })
    await program.logged('trusted has changed')
    const warning = await program.until(
      () => program.log().find(({ msg }) => msg.includes('needs a restart')),
      'the log says that workers need a restart',
    )
    const after = await clientSeen()
    const table = JSON.parse((await program.ask('/api/table')).text) as {
      problems: { kind: string; message: string; line: number }[]
    }

    assert.equal(before, '127.0.0.1')
    assert.equal(after, '203.0.113.9')
    assert.match(warning.msg, /workers: needs a restart: 7 is written, \d is in force/)
    assert.ok(program.log().some(({ msg }) => msg === 'log.level has changed'))
    assert.deepEqual(
      table.problems.map(({ kind, message }) => `${kind} ${message}`),
      [`settings workers: needs a restart: 7 is written, ${workers} is in force`],
    )
  })
}
