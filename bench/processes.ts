/**
 * Every process that the bench starts, from start to end. Each is ended by its pid: when its work is done, when the
 * bench fails, and on Ctrl-C. Nothing else on the machine is touched.
 */
import { execFileSync, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'
import { familyOf } from './proc.ts'

/** The load generator and the origins on one core, the proxy under test alone on the other. */
export const LOAD_CORE = 0
export const PROXY_CORE = 1
export type Core = typeof LOAD_CORE | typeof PROXY_CORE | 'any'

export interface Command {
  readonly argv: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

export interface Started {
  readonly pid: number
  /** Its own pid and those of its children. */
  readonly pids: () => number[]
  readonly ended: () => boolean
  /** What it wrote last of a fault, to say why it did not start. */
  readonly lastWords: () => string
  readonly stop: () => Promise<void>
}

const running = new Map<number, ChildProcess>()
const canPin = availableParallelism() > 1 && find('taskset') !== null

export function isPinned(): boolean {
  return canPin
}

/** Keeps this process, and what it starts without a core of its own, on the core of the load. */
export function pinBench(): void {
  if (!canPin) return
  execFileSync('taskset', ['-a', '-c', '-p', String(LOAD_CORE), String(process.pid)], {
    stdio: 'ignore',
  })
}

export function start(command: Command, core: Core, logFile: string): Started {
  const log = openSync(logFile, 'a')
  const [file = '', ...args] = pinned(command.argv, core)
  const child = spawn(file, args, {
    stdio: ['ignore', log, log],
    env: { ...process.env, PATH: searchPath(), ...command.env },
  })
  closeSync(log)
  const pid = register(child)
  return {
    pid,
    pids: () => familyOf(pid),
    ended: () => !running.has(pid),
    lastWords: () => complaintIn(readFileSync(logFile, 'utf8')),
    stop: () => stop(child, pid),
  }
}

/** Resolves when `test` is true. Stops the program and throws, with its last words, if it ends first or takes longer. */
export async function untilReady(
  started: Started,
  title: string,
  { test, lack, limitMs }: { test: () => Promise<boolean>; lack: string; limitMs: number },
): Promise<void> {
  const deadline = performance.now() + limitMs
  while (!(await test())) {
    const why = started.ended() ? 'it ended' : performance.now() > deadline ? lack : null
    if (why !== null) {
      await started.stop()
      throw new Error(`${title} did not start: ${why} ${started.lastWords()}`)
    }
    await pause(20)
  }
}

/** Runs a command on the core of the load to its end and gives what it printed. */
export function run(argv: readonly string[], input = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const [file = '', ...args] = argv
    const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'] })
    register(child)
    let output = ''
    let complaint = ''
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (complaint += chunk.toString()))
    child.stdin.on('error', () => {})
    child.stdin.end(input)
    child.on('error', reject)
    child.on('close', (code) => {
      if (code === 0) resolve(output)
      else reject(new Error(`${file} ended with ${code}: ${complaint.trim() || output.trim()}`))
    })
  })
}

/** For a process that is talked to while it runs; it still ends with the bench. */
export function converse(argv: readonly string[]): ChildProcess {
  const [file = '', ...args] = argv
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  register(child)
  return child
}

/** The last resort: synchronous, so that it also works while the bench itself is ending. */
export function endAll(): void {
  for (const pid of running.keys()) {
    for (const member of familyOf(pid).reverse()) signal(member, 'SIGKILL')
  }
  running.clear()
}

/** The path of an installed program, or null. */
export function find(program: string): string | null {
  try {
    const path = execFileSync('which', [program], { env: { ...process.env, PATH: searchPath() } })
    return path.toString().trim()
  } catch {
    return null
  }
}

function complaintIn(log: string): string {
  const lines = log.trim().split('\n')
  const faults = lines.filter((line) => /error|fail|cannot|alert|fatal/i.test(line))
  return (faults.length > 0 ? faults.slice(0, 2) : lines.slice(-2)).join(' | ')
}

/** Debian keeps daemons out of the PATH of ordinary users. */
function searchPath(): string {
  return `${process.env['PATH'] ?? ''}:/usr/local/sbin:/usr/sbin`
}

function pinned(argv: readonly string[], core: Core): readonly string[] {
  if (!canPin) return argv
  const cores = core === 'any' ? `0-${availableParallelism() - 1}` : String(core)
  return ['taskset', '-c', cores, ...argv]
}

function register(child: ChildProcess): number {
  const pid = child.pid
  if (pid === undefined) throw new Error(`cannot start ${child.spawnfile}`)
  running.set(pid, child)
  child.on('error', () => running.delete(pid))
  child.on('exit', () => running.delete(pid))
  return pid
}

async function stop(child: ChildProcess, pid: number): Promise<void> {
  const family = familyOf(pid)
  child.kill('SIGTERM')
  for (let waitedMs = 0; running.has(pid) && waitedMs < 2000; waitedMs += 20) await pause(20)
  if (!running.has(pid)) return
  for (const member of family.reverse()) signal(member, 'SIGKILL')
  while (running.has(pid)) await pause(20)
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {
    // It has ended already.
  }
}
