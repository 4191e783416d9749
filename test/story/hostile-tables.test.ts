// What a source declares never ends the program, nor keeps it from starting again.
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { openClient } from '../support/client.ts'
import { startOrigin } from '../support/origin.ts'
import { makeFolder, startProgram } from '../support/program.ts'

async function statusOf(t: TestContext, port: number, path: string): Promise<number> {
  const client = await openClient(t, port)
  return (await client.ask(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`)).status
}

const LONG = 'b'.repeat(125)

for (const workers of [0, 1]) {
  test(`a backend of 125 characters in two sources, named by a breaker's fallback, with ${workers} workers`, async (t) => {
    const origin = await startOrigin(t)
    const backend = { servers: { one: origin.url } }
    const folder = makeFolder(t)
    const config = {
      workers,
      listeners: { web: { address: '127.0.0.1:0' } },
      backends: { [LONG]: backend },
      frontends: { all: { route: 'PathPrefix("/")', backend: LONG } },
      sources: { team: { kind: 'files', directory: 'team.d' } },
    }
    mkdirSync(join(folder, 'team.d'))
    const program = await startProgram(t, config, { folder })

    const breaker = { condition: 'NetworkErrorRatio() > 0.5', fallback: { backend: LONG } }
    const guarded = { route: 'Path("/guarded")', backend: 'own', breaker }
    const team = { backends: { [LONG]: backend, own: backend }, frontends: { guarded } }
    writeFileSync(join(folder, 'team.d', 'team.json'), JSON.stringify(team))
    await program.until(
      () => program.log().find(({ msg }) => msg === 'table 2 is published'),
      'the table is published',
    )

    assert.equal(await statusOf(t, program.port, '/guarded'), 200)
    assert.equal(await statusOf(t, program.port, '/'), 200)
    const table = await program.ask('/api/table?kind=frontend&id=guarded')
    assert.match(table.text, new RegExp(`"${LONG}@team"`))

    program.signal('SIGTERM')
    assert.equal((await program.ended()).code, 0)
    const again = await startProgram(t, config, { folder })

    assert.equal(await statusOf(t, again.port, '/guarded'), 200)
    assert.match((await again.ask('/metrics')).text, /sluice_faults_total\{stage="admit"\} 0\n/)
  })
}
