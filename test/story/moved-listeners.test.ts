// A listener moves to a port that another program has: the whole program serves on, says so, and moves when it can.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { exchange, openClient } from '../support/client.ts'
import { choosePort } from '../support/ports.ts'
import { startProgram, type Program } from '../support/program.ts'
import { get } from '../support/refusal.ts'

const FRONTENDS = { all: { route: 'PathPrefix("/")', respond: { status: 200, body: 'here' } } }

async function problemsOf(program: Program): Promise<readonly string[]> {
  const { text } = await program.ask('/api/table')
  return (JSON.parse(text) as { threadProblems: string[] }).threadProblems
}

async function until(program: Program, count: number): Promise<readonly string[]> {
  const deadline = performance.now() + 5_000
  for (;;) {
    const problems = await problemsOf(program)
    if (problems.length === count) return problems
    assert.ok(performance.now() < deadline, `${count} problems: ${problems.join()}`)
  }
}

for (const workers of [0, 2]) {
  test(`a taken port is a problem until every thread is bound to it, with workers: ${workers}`, async (t) => {
    const [web, taken] = [await choosePort(), await choosePort()]
    const holder = createServer()
    holder.listen(taken, '127.0.0.1')
    await once(holder, 'listening')
    t.after(() => holder.close())
    const at = (port: number): object => ({
      workers,
      listeners: { web: { address: `127.0.0.1:${port}` } },
      frontends: FRONTENDS,
    })
    const program = await startProgram(t, at(web))

    program.write(at(taken))
    const [problem = ''] = await until(program, 1)
    const meanwhile = await exchange(t, web, get('/'))
    holder.close()
    await until(program, 0)
    const moved = await exchange(t, taken, get('/'))

    assert.match(problem, new RegExp(`^cannot listen on 127.0.0.1:${taken} .*the port is in use`))
    assert.equal(meanwhile.body.toString(), 'here')
    assert.equal(moved.body.toString(), 'here')
    await assert.rejects(openClient(t, web), { code: 'ECONNREFUSED' })
  })
}
