/**
 * Examples one after the other in one program: each is written over the one before, as an editor does, and is
 * driven once it is in force. Their servers play the part that the test gives them.
 */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import type { RequestListener, ServerResponse } from 'node:http'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { BreakerReport, ServerReport } from '../../src/observe/reports/health-report.ts'
import { openClient, type ReceivedResponse } from './client.ts'
import { placeExample, readExample } from './example.ts'
import { choosePort } from './ports.ts'
import { makeFolder, startProgram, type Program } from './program.ts'
import { type NamedServer, startServing } from './servers.ts'
import type { Table } from './sources.ts'
import { eventually, untilNextLook } from './until.ts'

/** A server of an example. */
export interface Actor extends NamedServer {
  /** From now on it answers so, and not 200. */
  play(part: RequestListener): void
  /** From now on it answers nothing until `release`. */
  hold(): void
  /** Requests that it holds. */
  held(): number
  /** Answers all that it holds, and from now on each at once. */
  release(): void
}

export interface Stage {
  readonly program: Program
  /** Resolves when the example is in force. Its servers go with `t`. */
  put(t: TestContext, name: Staged): Promise<Scene>
}

export interface Scene {
  readonly program: Program
  /** By the port that it has in the file. */
  actor(written: number): Actor
  get(path: string, ...lines: readonly string[]): Promise<ReceivedResponse>
  ask(request: string): Promise<ReceivedResponse>
  /** The same request so many times over one connection. */
  many(
    times: number,
    path?: string,
    ...lines: readonly string[]
  ): Promise<readonly ReceivedResponse[]>
  /** Brings an edited example into force. */
  edit(change: (text: string) => string): Promise<void>
  server(id: string): Promise<ServerReport>
  untilServer(id: string, isSo: (report: ServerReport) => boolean, what: string): Promise<void>
  /** Asked again and again meanwhile, where there is something to `ask`. */
  untilBreaker(
    isSo: (report: BreakerReport) => boolean,
    what: string,
    ask?: () => Promise<unknown>,
  ): Promise<void>
  /** The access log has a response with this reason. */
  untilReason(reason: string): Promise<void>
  metrics(): Promise<string>
}

/** The examples that are driven on a stage. */
export const STAGED = [
  'balance-round-robin',
  'balance-random',
  'balance-peak-ewma',
  'balance-hash',
  'sticky',
  'tiers',
  'health',
  'ejection',
  'breaker',
  'server-breaker',
  'retries',
  'hedging',
  'timeouts',
  'ratelimit',
  'ratelimit-redis',
  'connlimit',
  'inflight',
  'adaptive',
  'bodylimit',
] as const

export type Staged = (typeof STAGED)[number]

const HOST = 'vote.localhost'
const PATIENCE_MS = 60_000
/** Files of examples are read at such ports; other ports in them are Sluice's or Redis'. */
const SERVERS = /:(50\d\d)\b/g

/** `ports`: those that replace ports in the files, beside servers and the listener. */
export async function openStage(
  t: TestContext,
  ports: ReadonlyMap<number, number> = new Map(),
): Promise<Stage> {
  const listener = await choosePort()
  const bare = `listeners: { web: { address: 127.0.0.1:${listener} } }`
  const program = await startProgram(t, bare, {
    folder: makeFolder(t),
    file: 'sluice.yaml',
    args: ['--admin-address', '127.0.0.1:0'],
    env: {
      SLUICE_WORKERS: '0',
      SLUICE_DATA: makeFolder(t),
      STICKY_SECRET: 'sixteen or more characters',
    },
  })
  let isBare = true

  async function bring(text: string): Promise<void> {
    const before = await tableOf(program)
    writeFileSync(join(program.folder, 'sluice.yaml'), text)
    const after = await until(
      () => tableOf(program),
      ({ number, inForce }) => number > before.number && inForce === number,
      'the example is in force',
    )
    assert.deepEqual([after.setAside, after.problems], [[], []])
  }

  return {
    program,
    async put(t, name) {
      const file = `examples/${name}.yaml`
      const actors = new Map<number, Actor>()
      for (const [, digits = ''] of readExample(file).matchAll(SERVERS)) {
        const written = Number(digits)
        if (!actors.has(written)) actors.set(written, await startActor(t, digits))
      }
      const taken = new Map([...ports, [8080, listener] as const])
      for (const [written, { port }] of actors) taken.set(written, port)
      const { text, withOwnPorts } = await placeExample(t, file, taken)
      // Else its servers would join those of the one before, and start slowly beside them.
      if (isBare) isBare = false
      else await bring(bare)
      await bring(withOwnPorts(text))
      return {
        ...openScene(t, program),
        actor: (written) => actors.get(written) ?? assert.fail(`${written} is not in the file`),
        edit: (change) => bring(withOwnPorts(change(text))),
      }
    },
  }
}

function openScene(t: TestContext, program: Program): Omit<Scene, 'actor' | 'edit'> {
  const ask = async (request: string): Promise<ReceivedResponse> => {
    return (await openClient(t, program.port)).ask(request)
  }
  const reports = async (): Promise<readonly ServerReport[]> => listOf(program, '/api/servers')
  const server = async (id: string): Promise<ServerReport> => {
    const found = (await reports()).find((one) => one.id === id)
    return found ?? assert.fail(`there is no server ${id}`)
  }
  return {
    program,
    ask,
    get: (path, ...lines) => ask(requestFor(path, lines)),
    async many(times, path = '/', ...lines) {
      const client = await openClient(t, program.port)
      const responses: ReceivedResponse[] = []
      while (responses.length < times) responses.push(await client.ask(requestFor(path, lines)))
      return responses
    },
    server,
    async untilServer(id, isSo, what) {
      await until(() => server(id), isSo, what)
    },
    async untilBreaker(isSo, what, ask) {
      await until(
        async () => {
          await ask?.()
          return listOf<BreakerReport>(program, '/api/breakers')
        },
        (breakers) => breakers.some(isSo),
        what,
      )
    },
    async untilReason(reason) {
      const wanted = `"reason":"${reason}"`
      await program.until(() => program.output().includes(wanted), `the log has ${reason}`)
    },
    metrics: async () => (await program.ask('/metrics')).text,
  }
}

async function startActor(t: TestContext, name: string): Promise<Actor> {
  const holding: ServerResponse[] = []
  const well: RequestListener = (_request, response) => {
    response.end('ok')
  }
  let part = well
  const server = await startServing(t, name, 0, (request, response) => {
    response.setHeader('X-From', name)
    part(request, response)
  })
  return {
    ...server,
    play(next) {
      part = next
    },
    hold() {
      part = (_request, response) => {
        holding.push(response)
      }
    },
    held: () => holding.length,
    release() {
      part = well
      for (const response of holding.splice(0)) response.end('ok')
    },
  }
}

/** A part of an actor: every response has this status. */
export function answering(status: number): RequestListener {
  return (_request, response) => {
    response.statusCode = status
    response.end()
  }
}

/** Waits until it holds so many requests. */
export async function untilHeld(count: number, ...actors: readonly Actor[]): Promise<void> {
  await eventually(
    () => actors.reduce((sum, actor) => sum + actor.held(), 0) === count,
    `servers hold ${count} requests`,
    PATIENCE_MS,
  )
}

async function until<T>(
  look: () => Promise<T>,
  isSo: (found: T) => boolean,
  what: string,
): Promise<T> {
  const start = performance.now()
  for (;;) {
    const found = await look()
    if (isSo(found)) return found
    const waitedMs = performance.now() - start
    if (waitedMs > PATIENCE_MS) assert.fail(`${what}: not so, but ${JSON.stringify(found)}`)
    await untilNextLook(waitedMs)
  }
}

interface WholeTable extends Table {
  readonly number: number
  readonly inForce: number
  readonly problems: readonly unknown[]
}

async function tableOf(program: Program): Promise<WholeTable> {
  return JSON.parse((await program.ask('/api/table')).text) as WholeTable
}

async function listOf<T>(program: Program, path: string): Promise<readonly T[]> {
  return JSON.parse((await program.ask(path)).text) as readonly T[]
}

function requestFor(path: string, lines: readonly string[]): string {
  return [`GET ${path} HTTP/1.1`, `Host: ${HOST}`, ...lines, '', ''].join('\r\n')
}
