/** A client of somebody else's, Python's kazoo, in a process of its own that can be killed: what it writes, Sluice reads. */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Owner } from './daemon.ts'

export interface Kazoo {
  /** Sets the data, and creates the znode with its parents if it is not there. */
  put(path: string, data: string | Buffer): Promise<void>
  /** Returns the path, which has a number at its end with `sequence`. */
  create(
    path: string,
    data: string | Buffer,
    as?: { readonly ephemeral?: boolean; readonly sequence?: boolean },
  ): Promise<string>
  /** With all below it. */
  delete(path: string): Promise<void>
  /** `user:password`. */
  login(login: string): Promise<void>
  /** Only `user:password` may do anything with it from now on. */
  protect(path: string, login: string): Promise<void>
  /** SIGKILL: its session ends after its timeout. */
  kill(): Promise<void>
}

/** Debian's, whose packages kazoo is one of. */
const PYTHON = '/usr/bin/python3'
const SCRIPT = fileURLToPath(new URL('kazoo-client.py', import.meta.url))

export async function startKazoo(
  owner: Owner,
  endpoint: string,
  sessionSeconds = 1,
): Promise<Kazoo> {
  const child = spawn(PYTHON, [SCRIPT, endpoint, String(sessionSeconds)], {
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const waiting: { resolve(text: string): void; reject(error: Error): void }[] = []
  let log = ''
  let isRunning = true
  const closed = new Promise<void>((resolve) => {
    child.once('close', () => {
      isRunning = false
      for (const one of waiting.splice(0)) one.reject(new Error(`kazoo ended: ${log}`))
      resolve()
    })
  })
  child.once('error', (error) => (log += `${error.message}: apt-get install python3-kazoo`))
  child.stdin.on('error', () => {})
  child.stderr.on('data', (piece: Buffer) => (log = (log + piece.toString()).slice(-10_000)))
  createInterface(child.stdout).on('line', (line) => {
    const { ok, error } = JSON.parse(line) as { ok?: string; error?: string }
    const one = waiting.shift()
    if (error === undefined) one?.resolve(ok ?? '')
    else one?.reject(new Error(`kazoo: ${error}`))
  })

  function act(order: object): Promise<string> {
    return new Promise((resolve, reject) => {
      if (!isRunning) return reject(new Error(`kazoo ended: ${log}`))
      waiting.push({ resolve, reject })
      child.stdin.write(`${JSON.stringify(order)}\n`)
    })
  }

  async function kill(): Promise<void> {
    child.kill('SIGKILL')
    await closed
  }

  const toBase64 = (data: string | Buffer): string => Buffer.from(data as string).toString('base64')
  owner.after(kill)
  return {
    put: async (path, data) => void (await act({ op: 'put', path, data: toBase64(data) })),
    create: (path, data, { ephemeral = false, sequence = false } = {}) =>
      act({ op: 'create', path, data: toBase64(data), ephemeral, sequence }),
    delete: async (path) => void (await act({ op: 'delete', path })),
    login: async (login) => void (await act({ op: 'login', login })),
    protect: async (path, login) => void (await act({ op: 'protect', path, login })),
    kill,
  }
}
