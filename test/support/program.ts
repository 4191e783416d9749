/**
 * The program as a user starts it: `node src/main.ts` as a child process, with its configuration in a folder of its own.
 * Both go with the test; a fault that the program logged of itself fails the test.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createWatch } from './until.ts'

export interface Program {
  readonly pid: number
  readonly folder: string
  /** Path of its file. */
  readonly config: string
  /** Of the listener `web`. */
  readonly port: number
  /** Of all listeners, by id, as of the start. */
  readonly ports: Readonly<Record<string, number>>
  /** Its admin's port. */
  readonly admin: number
  /** Everything on standard output. */
  output(): string
  /** The program's own log. */
  log(): readonly LogLine[]
  /** The first line of the log with this message. */
  logged(message: string): Promise<LogLine>
  until<T>(look: () => T | undefined | null | false, what: string, patienceMs?: number): Promise<T>
  /** Writes its file in place. */
  write(config: object): void
  ask(path: string): Promise<AdminResponse>
  signal(name: NodeJS.Signals): void
  ended(patienceMs?: number): Promise<Ended>
}

export interface LogLine {
  readonly level: string
  readonly msg: string
  readonly [field: string]: unknown
}

export interface AdminResponse {
  readonly status: number
  readonly text: string
}

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly output: string
  readonly errors: string
}

export interface StartOptions {
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Its limit of open files. */
  readonly files?: number
  readonly folder?: string
  /** In the folder. */
  readonly file?: string
}

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
/** Several threads that load their code on a busy machine. */
const START_WITHIN_MS = 60_000
const END_WITHIN_MS = 30_000

/** Resolves when it serves. The admin takes a free port, unless `config` says otherwise. */
export async function startProgram(
  t: TestContext,
  config: object | string,
  options: StartOptions = {},
): Promise<Program> {
  const { folder = makeFolder(t), file = 'sluice.json', args = [], env = {} } = options
  // A command that starts another one with less than it has itself.
  const command: readonly [string, ...string[]] =
    options.files === undefined
      ? [process.execPath, MAIN]
      : ['prlimit', `--nofile=${options.files}`, process.execPath, MAIN]
  const path = join(folder, file)
  const write = (next: object | string): void => {
    writeFileSync(path, typeof next === 'string' ? next : toText(next))
  }
  write(config)
  const words = ['serve', '--config', path, ...args]
  const child = spawnProgram(t, words, env, command)
  const serving = await child.until(
    () => child.log().find(({ msg }) => msg === 'serving') ?? child.failure(),
    'the program serves',
    START_WITHIN_MS,
  )
  const { ports, admin } = serving as unknown as {
    ports: Readonly<Record<string, number>>
    admin: { port: number }
  }
  t.after(() => {
    const faults = child.log().filter(({ msg }) => msg.startsWith('a fault of Sluice'))
    if (faults.length > 0) throw new Error(`the program had faults: ${JSON.stringify(faults)}`)
  })
  return {
    ...child,
    folder,
    config: path,
    port: ports['web'] ?? 0,
    ports,
    admin: admin.port,
    write,
    ask: (asked) => askAdmin(admin.port, asked),
  }
}

export interface Child extends Pick<
  Program,
  'pid' | 'output' | 'log' | 'logged' | 'until' | 'signal' | 'ended'
> {
  /** Throws when it has ended. */
  failure(): null
}

/** Starts the program with these words and does not wait for anything. `command`: what it is called by. */
export function spawnProgram(
  t: TestContext,
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
  command: readonly [string, ...string[]] = [process.execPath, MAIN],
): Child {
  const [file, ...before] = command
  const child = spawn(file, [...before, ...words], {
    env: { ...withoutSettings(process.env), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const watch = createWatch()
  const output = collect(child.stdout, watch.changed)
  const errors = collect(child.stderr, watch.changed)
  let ended: Ended | null = null
  let lines: LogLine[] = []
  let parsed = 0
  child.once('close', (code, signal) => {
    ended = { code, signal, output: output(), errors: errors() }
    watch.changed()
  })
  t.after(() => kill(child))

  function log(): readonly LogLine[] {
    const end = output().lastIndexOf('\n') + 1
    if (end > parsed) lines = [...lines, ...logLines(output().slice(parsed, end))]
    parsed = end
    return lines
  }

  return {
    pid: child.pid ?? 0,
    output,
    log,
    logged: (message) =>
      watch.until(() => log().find(({ msg }) => msg === message), `the log says "${message}"`),
    until: watch.until,
    signal: (name) => void child.kill(name),
    ended: (patienceMs = END_WITHIN_MS) => watch.until(() => ended, 'the end of it', patienceMs),
    failure() {
      if (ended === null) return null
      throw new Error(`it ended with code ${ended.code}: ${ended.errors}${ended.output}`)
    },
  }
}

/** Runs a command to its end. */
export function runProgram(
  t: TestContext,
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  return spawnProgram(t, words, env).ended(START_WITHIN_MS)
}

export function makeFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-story-'))
  // A program that is ending may still write into it.
  t.after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }))
  return folder
}

/** As a file has it: quiet, with a free port for the admin and its data beside it, where nothing else is said. */
export function toText(config: object): string {
  const defaults = { admin: { address: '127.0.0.1:0' }, log: { access: 'off' }, data: 'data' }
  return JSON.stringify({ ...defaults, ...config }, null, 2)
}

export function askAdmin(port: number, path: string): Promise<AdminResponse> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ port, host: '127.0.0.1', path, agent: false }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (piece: string) => (text += piece))
      response.once('error', reject)
      response.once('end', () => resolve({ status: response.statusCode ?? 0, text }))
    })
    outgoing.once('error', reject)
    outgoing.end()
  })
}

function logLines(text: string): LogLine[] {
  const found: LogLine[] = []
  for (const line of text.split('\n')) {
    if (!line.startsWith('{"level":')) continue
    found.push(JSON.parse(line) as LogLine)
  }
  return found
}

function collect(stream: NodeJS.ReadableStream, changed: () => void): () => string {
  let text = ''
  stream.on('data', (piece: Buffer) => {
    text += piece.toString('latin1')
    changed()
  })
  return () => text
}

function withoutSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const kept = Object.entries(env).filter(
    ([name]) => name === 'NODE_COMPILE_CACHE' || !/^(?:SLUICE_|NODE_)/.test(name),
  )
  return Object.fromEntries(kept)
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await ended
}
