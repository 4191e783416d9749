/** Runs a command of the configuration by /bin/sh, in a process group of its own, for a limited time. */
import { spawn } from 'node:child_process'
import type { Readable } from 'node:stream'
import { killGroup } from '../model/kill-group.ts'
import { escapeControls } from '../model/parsed.ts'

export interface CommandOptions {
  readonly timeoutMs: number
  /** Ends the command, and what is not begun is not run. */
  readonly signal: AbortSignal
  /** How long the command may go on then. 0 by default. */
  readonly graceMs?: number
}

/** What of its output is kept for the message: the end says most. */
const MAX_OUTPUT = 4_096
const MAX_SHOWN = 300
const STUCK_MS = 2_000
/** Between two reads of what is left running writes. */
const DRAIN_MS = 100

/**
 * Resolves when the command has ended by itself; what it leaves running goes on.
 *
 * @throws {Error} it exits with another code than 0, cannot be started, or takes longer than its time, with the end of its output
 */
export function runCommand(
  command: string,
  { timeoutMs, signal, graceMs = 0 }: CommandOptions,
): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted && graceMs === 0) return reject(new Error('was not run: the program ends'))
    const child = spawn('/bin/sh', ['-c', command], {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    let ended: string | null = null

    function kill(why: string): void {
      ended ??= why
      killGroup(child.pid)
      // One that waits for a device may not end even so.
      setTimeout(finish, STUCK_MS, why).unref()
    }

    const timer = setTimeout(kill, timeoutMs, `did not end within ${timeoutMs / 1000} s`)
    let grace: NodeJS.Timeout | undefined
    const end = (): void =>
      kill('was ended, because the program ends or the settings of templates have changed')
    const stop = (): void => {
      if (graceMs === 0) end()
      else grace = setTimeout(end, graceMs)
    }
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output = (output + text).slice(-MAX_OUTPUT)
      })
      stream.on('error', () => {})
    }

    function finish(reason: string | null): void {
      clearTimeout(timer)
      clearTimeout(grace)
      signal.removeEventListener('abort', stop)
      for (const stream of [child.stdout, child.stderr]) drain(stream)
      if (reason === null) resolve()
      else reject(new Error(`${reason}${shown(output)}`))
    }

    child.on('error', ({ message }) => finish(`cannot be started: ${message}`))
    child.on('exit', (code, killedBy) => {
      const how = killedBy === null ? `exited with ${code}` : `was ended by ${killedBy}`
      // What it printed last may still be in the pipe.
      setImmediate(() => finish(ended ?? (code === 0 ? null : how)))
    })
  })
}

/** A server that the command has started may hold the pipe. It is read on, so that the server does not end for it, but slowly. */
function drain(stream: Readable): void {
  if ('unref' in stream) (stream as { readonly unref: () => void }).unref()
  stream.on('data', () => {
    stream.pause()
    setTimeout(() => stream.resume(), DRAIN_MS).unref()
  })
}

/** In one line. */
function shown(output: string): string {
  const lines = output
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
  const end = lines.slice(-3).join(' | ')
  return end === '' ? '' : `: ${escapeControls(end.slice(-MAX_SHOWN))}`
}
