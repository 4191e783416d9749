/**
 * One process that is started again when it ends by itself, after a pause that grows. It waits for its port: another process may still
 * have it, one of the program that this one replaces.
 */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { exponentialBackoff } from '../../model/backoff.ts'
import { killGroup } from '../../model/kill-group.ts'
import { spawnGroup, startProblem } from '../../model/run-program.ts'
import type { Log } from '../../observe/log.ts'
import { createOutputLines } from './output-lines.ts'
import type { OrphanGuard } from './orphan-guard.ts'

export interface ProcessPlan {
  /** For the log. */
  readonly fields: { readonly backend: string; readonly replica: number }
  readonly command: readonly string[]
  readonly cwd: string
  readonly env: NodeJS.ProcessEnv
  readonly port: number
  /** Between SIGTERM and SIGKILL. */
  readonly stopMs: number
}

export interface ProcessWorld {
  readonly guard: OrphanGuard
  readonly log: Log
  /** It accepts connections. */
  readonly onListening: () => void
  /** It accepts no more. */
  readonly onEnded: () => void
}

export interface SupervisedProcess {
  /** Resolves when it runs for the first time or waits for its port; rejects if it cannot be started. */
  readonly started: Promise<void>
  /** Null: between an end and the next start. */
  pid(): number | null
  /** Resolves when it has ended. */
  stop(): Promise<void>
}

const FIRST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 30_000
/** After a run of this time the next pause is the first one again. */
const STEADY_MS = 10_000
const PORT_POLL_MS = 250
const LISTENING_POLL_MS = 50
const CONNECT_MS = 1_000

export function supervise(plan: ProcessPlan, world: ProcessWorld): SupervisedProcess {
  const { fields, port, stopMs } = plan
  const { log, guard } = world
  const name = `replica ${fields.replica} of backend "${fields.backend}"`
  const stopping = new AbortController()
  const started = Promise.withResolvers<void>()
  // The caller of start may have given up waiting.
  started.promise.catch(() => {})
  const ended = Promise.withResolvers<void>()
  let child: ChildProcess | null = null
  let timer: NodeJS.Timeout | undefined
  let inARow = 0
  let isWaiting = false

  async function begin(): Promise<void> {
    const isFree = await canBind(port)
    if (stopping.signal.aborted) return
    if (isFree) {
      if (isWaiting) world.onEnded()
      isWaiting = false
      return run()
    }
    if (!isWaiting) log.warn(fields, `${name} waits for port ${port}, which another process has`)
    isWaiting = true
    started.resolve()
    // It serves instead.
    if (await accepts(port)) world.onListening()
    if (stopping.signal.aborted) return
    timer = setTimeout(() => void begin(), PORT_POLL_MS)
  }

  function run(): void {
    const startedAt = performance.now()
    const [program = '', ...args] = plan.command
    // A Ctrl-C is for this program alone.
    const running = spawnGroup(program, args, {
      cwd: plan.cwd,
      env: plan.env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    if (running instanceof Error) return unstarted(startProblem(running))
    child = running
    const { pid } = running
    if (pid !== undefined) guard.add(pid)
    logOutput(running)
    running.once('spawn', () => {
      log.info({ ...fields, pid, port }, `${name} is started`)
      started.resolve()
      void untilListening(running)
    })
    running.once('error', (error) => {
      if (gone()) unstarted(startProblem(error))
    })
    running.once('exit', (code, signal) => {
      if (gone()) again(signal ?? `code ${code}`)
    })

    /** False: that is known. */
    function gone(): boolean {
      if (child !== running) return false
      child = null
      if (pid !== undefined) {
        // What it has started may hold the port.
        killGroup(pid, 'SIGKILL')
        guard.remove(pid)
      }
      return true
    }

    function unstarted(why: string): void {
      started.reject(new Error(`cannot start ${JSON.stringify(program)}: ${why}`))
      again(why)
    }

    function again(how: string): void {
      world.onEnded()
      if (stopping.signal.aborted) return ended.resolve()
      if (performance.now() - startedAt >= STEADY_MS) inARow = 0
      const pauseMs = exponentialBackoff(FIRST_PAUSE_MS, inARow++, LONGEST_PAUSE_MS)
      log.warn(fields, `${name} has ended (${how}) and is started again in ${pauseMs / 1000} s`)
      timer = setTimeout(() => void begin(), pauseMs)
    }
  }

  function logOutput(running: ChildProcess): void {
    for (const stream of ['stdout', 'stderr'] as const) {
      const lines = createOutputLines(
        (line) => log.info({ ...fields, stream }, line),
        (count) => log.warn({ ...fields, stream }, `${count} more lines of ${name} are not logged`),
        () => performance.now(),
      )
      running[stream]?.setEncoding('utf8').on('data', lines.add).on('end', lines.end)
      running[stream]?.on('error', () => {})
    }
  }

  async function untilListening(running: ChildProcess): Promise<void> {
    while (child === running) {
      if (await accepts(port)) {
        if (child === running) world.onListening()
        return
      }
      await new Promise((resolve) => setTimeout(resolve, LISTENING_POLL_MS))
    }
  }

  void begin()
  return {
    started: started.promise,
    pid: () => child?.pid ?? null,
    async stop() {
      if (!stopping.signal.aborted) {
        stopping.abort()
        clearTimeout(timer)
        started.resolve()
        const pid = child?.pid
        if (pid === undefined) ended.resolve()
        else {
          killGroup(pid, 'SIGTERM')
          const late = setTimeout(() => killGroup(pid, 'SIGKILL'), stopMs)
          void ended.promise.then(() => clearTimeout(late))
        }
      }
      await ended.promise
    },
  }
}

/** False: another process has it. What else is wrong with the port, the process says itself. */
async function canBind(port: number): Promise<boolean> {
  const server = createServer()
  try {
    server.listen({ port, host: '127.0.0.1', exclusive: true })
    await once(server, 'listening')
    return true
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')
  } finally {
    await new Promise((resolve) => server.close(resolve))
  }
}

export async function accepts(port: number): Promise<boolean> {
  const socket = connect({ port, host: '127.0.0.1' })
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(CONNECT_MS) })
    return true
  } catch {
    return false
  } finally {
    socket.on('error', () => {})
    socket.destroy()
  }
}
