// Issue: "Two listeners, one port taken: ready, 200, nothing set aside": a listener that does not listen is shown everywhere.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { test, type TestContext } from 'node:test'
import { exchange } from '../support/client.ts'
import { choosePort } from '../support/ports.ts'
import { startProgram, type Program } from '../support/program.ts'
import { get } from '../support/refusal.ts'

const FRONTENDS = { all: { route: 'PathPrefix("/")', respond: { status: 200, body: 'here' } } }

interface State {
  readonly listening: boolean
  readonly at: string | null
  readonly reason: string | null
  readonly since: string
  readonly nextTryAt: string | null
  readonly threads: { readonly listening: number; readonly of: number }
}

for (const workers of [0, 2]) {
  test(`a listener whose port is taken is shown until it listens, with workers: ${workers}`, async (t) => {
    const [web, taken] = [await choosePort(), await choosePort()]
    const release = await holdPort(t, taken)
    const program = await startProgram(t, declared(workers, { web, other: taken }))

    const { text, status } = await program.ask('/readyz')
    const shown = await stateOf(program, 'other')

    assert.equal(status, 200)
    const { ready, notListening } = JSON.parse(text) as { ready: boolean; notListening: State[] }
    assert.equal(ready, true)
    const reason = `cannot listen on 127.0.0.1:${taken} (listener "other"): the port is in use; stop the other program or choose another port`
    assert.deepEqual(
      notListening.map((one) => ({ ...one, since: '', nextTryAt: '' })),
      [{ id: 'other', at: null, reason, since: '', nextTryAt: '' }],
    )
    assert.deepEqual([shown.listening, shown.at, shown.reason], [false, null, reason])
    assert.deepEqual(shown.threads, { listening: 0, of: Math.max(1, workers) })
    assert.ok(Math.abs(Date.parse(shown.since) - Date.now()) < 30_000)
    assert.ok(Date.parse(shown.nextTryAt ?? '') > Date.parse(shown.since))
    assert.equal((await stateOf(program, 'web')).listening, true)
    assert.deepEqual(await up(program), { web: 1, other: 0 })

    await release()
    await untilListening(program, 'other', true)

    assert.equal((await exchange(t, taken, get('/'))).body.toString(), 'here')
    assert.deepEqual(await up(program), { web: 1, other: 1 })
    assert.deepEqual(JSON.parse((await program.ask('/readyz')).text), {
      ...{ ready: true, reason: 'ready', notListening: [] },
    })
    const lines = program.log().filter(({ listener }) => listener === 'other')
    assert.deepEqual(
      lines.map(({ level, msg }) => [level, msg]),
      [
        ['error', reason],
        ['info', 'listener "other" listens as declared now'],
      ],
    )
  })

  test(`a listener that cannot move is shown with the address that it still has, with workers: ${workers}`, async (t) => {
    const [web, taken] = [await choosePort(), await choosePort()]
    await holdPort(t, taken)
    const program = await startProgram(t, declared(workers, { web }))
    assert.equal((await stateOf(program, 'web')).at, `127.0.0.1:${web}`)

    program.write(declared(workers, { web: taken }))
    const moved = await untilListening(program, 'web', false)

    assert.equal(moved.at, `127.0.0.1:${web}`)
    assert.match(moved.reason ?? '', new RegExp(`^cannot listen on 127.0.0.1:${taken} `))
    assert.deepEqual(await up(program), { web: 0 })

    program.write(declared(workers, { web }))
    const back = await untilListening(program, 'web', true)

    assert.deepEqual([back.at, back.reason, back.nextTryAt], [`127.0.0.1:${web}`, null, null])
  })
}

function declared(workers: number, ports: Readonly<Record<string, number>>): object {
  const listeners = Object.entries(ports).map(([id, port]) => [
    id,
    { address: `127.0.0.1:${port}` },
  ])
  return { workers, listeners: Object.fromEntries(listeners) as object, frontends: FRONTENDS }
}

async function holdPort(t: TestContext, port: number): Promise<() => Promise<void>> {
  const holder = createServer()
  holder.listen(port, '127.0.0.1')
  await once(holder, 'listening')
  const release = async (): Promise<void> => {
    holder.close()
    await once(holder, 'close')
  }
  t.after(() => holder.close())
  return release
}

async function stateOf(program: Program, id: string): Promise<State> {
  const { text } = await program.ask(`/api/table?kind=listener&id=${id}`)
  const { objects } = JSON.parse(text) as { objects: { state: State }[] }
  const [found] = objects
  assert.ok(found !== undefined)
  return found.state
}

async function untilListening(program: Program, id: string, wanted: boolean): Promise<State> {
  const deadline = performance.now() + 10_000
  for (;;) {
    const state = await stateOf(program, id)
    if (state.listening === wanted) return state
    assert.ok(performance.now() < deadline, JSON.stringify(state))
  }
}

async function up(program: Program): Promise<Record<string, number>> {
  const { text } = await program.ask('/metrics')
  const found = [...text.matchAll(/^sluice_listener_up\{listener="([^"]+)"\} (\d)$/gm)].map(
    ([, id = '', value]) => [id, Number(value)] as const,
  )
  return Object.fromEntries(found)
}
