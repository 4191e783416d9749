/** Real servers of others as child processes: each in a folder of its own, ended by its process id, its log printed when it fails. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { setTimeout as passed } from 'node:timers/promises'

/** The owner of what is started: a test, or `{ after }` of node:test for a whole file. */
export interface Owner {
  after(end: () => unknown): void
}

export interface DaemonPlan {
  /** A name on the PATH, or a path. */
  readonly command: string
  /** The Debian package that brings the command. */
  readonly debianPackage: string
  args(folder: string): readonly string[]
  /** Instead of this process's. */
  readonly env?: NodeJS.ProcessEnv
  isReady(): Promise<boolean>
}

export interface Daemon {
  readonly folder: string
  /** Of the process that runs now; null when none does. */
  pid(): number | null
  /** Its output since the last start. */
  log(): string
  /** With the data it has; resolves when it is ready. */
  start(): Promise<void>
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>
  /** Kills it and removes its data; `start` begins anew. */
  wipe(): Promise<void>
}

const READY_WITHIN_MS = 60_000

/** Started, and ended with its owner. */
export async function startDaemon(owner: Owner, plan: DaemonPlan): Promise<Daemon> {
  const folder = mkdtempSync(join(tmpdir(), `sluice-${basename(plan.command)}-`))
  const data = join(folder, 'data')
  let child: ChildProcess | null = null
  let log = ''

  async function kill(): Promise<void> {
    const running = child
    if (running === null) return
    const closed = new Promise((resolve) => running.once('close', resolve))
    running.kill('SIGKILL')
    await closed
  }

  async function start(): Promise<void> {
    log = ''
    let failure: string | null = null
    const started = spawn(plan.command, plan.args(data), {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: plan.env ?? process.env,
    })
    child = started
    for (const stream of [started.stdout, started.stderr]) {
      stream.on('data', (piece: Buffer) => (log = (log + piece.toString('latin1')).slice(-100_000)))
    }
    started.once('error', (error: NodeJS.ErrnoException) => {
      failure =
        error.code === 'ENOENT'
          ? `${plan.command} is not installed: apt-get install ${plan.debianPackage}`
          : error.message
      if (child === started) child = null
    })
    started.once('close', (code, signal) => {
      failure ??= `it ended (${signal ?? code})`
      if (child === started) child = null
    })
    const deadline = performance.now() + READY_WITHIN_MS
    for (;;) {
      const isReady = await plan.isReady()
      if (isReady && failure === null) return
      if (performance.now() > deadline) failure ??= `it was not ready in ${READY_WITHIN_MS} ms`
      if (failure !== null) {
        await kill()
        throw new Error(`cannot start ${plan.command}: ${failure}\n${log}`)
      }
      await passed(10)
    }
  }

  owner.after(async () => {
    await kill()
    rmSync(folder, { recursive: true, force: true })
  })
  await start()
  return {
    folder,
    pid: () => child?.pid ?? null,
    log: () => log,
    start,
    kill,
    async wipe() {
      await kill()
      rmSync(data, { recursive: true, force: true })
    },
  }
}
