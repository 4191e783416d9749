/**
 * Where lines end up: a file or standard output. One sink takes the log and the access log of all threads, in whole
 * batches, so that lines never interleave. A full disk or a reader that has stopped costs lines, which are counted;
 * it never costs memory without bound and never holds up the program.
 */
import { constants, createWriteStream, openSync, statSync } from 'node:fs'
import { Socket } from 'node:net'
import type { Writable } from 'node:stream'
import { messageOf } from '../model/error-message.ts'

export interface Sink {
  /** Whole lines, each ended by a line feed. Bytes are the sink's to keep. */
  write(lines: string | Uint8Array): void
  /** Lines that were lost so far. */
  readonly dropped: number
  /** Opens the path again, for log rotation. Standard output stays as it is. */
  reopen(): void
  /**
   * Resolves to true when everything is written, and to false after two seconds with a reader that has stopped. Then the caller
   * must end the process: the writes that standard output still waits for keep it running.
   */
  close(): Promise<boolean>
}

export interface SinkOptions {
  /** Takes what the log itself cannot say, at most once a minute; standard error by default. */
  readonly report?: (message: string) => void
  /** ms, of any clock that does not go back. */
  readonly now?: () => number
}

const MAX_WAITING_BYTES = 8 * 1024 * 1024
const RETRY_AFTER_MS = 1000
const REPORT_EVERY_MS = 60_000
const CLOSE_WITHIN_MS = 2000
const LINE_FEED = 10

export function openSink(path: string | null, options: SinkOptions = {}): Sink {
  const { report = toStderr, now = () => performance.now() } = options
  const name = path ?? 'standard output'
  let dropped = 0
  let quietUntil = -Infinity
  let retryAt = 0
  let isClosed = false
  let rotated: Promise<boolean> = Promise.resolve(true)
  let stream = openStream()

  return {
    write(lines) {
      if (isClosed || (stream.destroyed && !recovered())) return drop(lines)
      if (stream.writableLength + lines.length > MAX_WAITING_BYTES) {
        fail('its reader is too slow')
        return drop(lines)
      }
      stream.write(lines, (error) => {
        if (error) drop(lines)
      })
    },
    get dropped() {
      return dropped
    },
    reopen() {
      if (path === null || isClosed) return
      const old = stream
      if (!replaceStream() || old.destroyed) return
      const all = Promise.all([rotated, finish(old, true, lose)])
      rotated = all.then((written) => written.every(Boolean))
    },
    async close() {
      isClosed = true
      const isRotated = await rotated
      return (stream.destroyed || (await finish(stream, path !== null, lose))) && isRotated
    },
  }

  function openStream(): Writable {
    const opened = path === null ? process.stdout : openPath(path)
    opened.on('error', onError)
    return opened
  }

  function replaceStream(): boolean {
    try {
      stream = openStream()
      return true
    } catch (error) {
      fail(messageOf(error))
      return false
    }
  }

  /** A file stream that failed is gone for good; a new one is tried, at most once a second. */
  function recovered(): boolean {
    if (path === null || now() < retryAt) return false
    retryAt = now() + RETRY_AFTER_MS
    if (!replaceStream()) return false
    // The failure may have cut a line in two: what comes now starts on a line of its own.
    stream.write('\n')
    return true
  }

  function onError(error: Error): void {
    retryAt = now() + RETRY_AFTER_MS
    fail(error.message)
  }

  function fail(why: string): void {
    if (now() < quietUntil) return
    quietUntil = now() + REPORT_EVERY_MS
    report(`cannot write the log to ${name}: ${why}; lines are dropped until it works again`)
  }

  /** Not throttled: it is said once, at the end of a file or of the program. */
  function lose(bytes: number): void {
    const within = `${CLOSE_WITHIN_MS / 1000} s`
    report(
      `up to ${bytes} bytes at the end of the log are lost: ${name} did not take them within ${within}`,
    )
  }

  function drop(lines: string | Uint8Array): void {
    for (const byte of Buffer.from(lines)) if (byte === LINE_FEED) dropped++
  }
}

function openPath(path: string): Writable {
  try {
    const isPipe = statSync(path, { throwIfNoEntry: false })?.isFIFO() === true
    return isPipe ? openPipe(path) : createWriteStream('', { fd: openSync(path, 'a', 0o640) })
  } catch (cause) {
    throw new Error(`cannot open the log ${path}: ${messageOf(cause)}`, { cause })
  }
}

/**
 * A named pipe. Opened for writing only, it would block this thread until a reader opens it, and a write to a full one would
 * block a thread that the end of the process waits for.
 */
function openPipe(path: string): Writable {
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
  return new Socket({ fd, readable: false, writable: true })
}

/** Resolves to whether everything is written in time. What is not written to a file or pipe by then is given up: `lose` gets its size. */
function finish(stream: Writable, end: boolean, lose: (bytes: number) => void): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      lose(stream.writableLength)
      if (end) stream.destroy()
      resolve(false)
    }, CLOSE_WITHIN_MS)
    const done = (): void => {
      clearTimeout(timer)
      resolve(true)
    }
    if (end) {
      stream.once('close', done)
      stream.end()
    } else {
      stream.write('', done)
    }
  })
}

function toStderr(message: string): void {
  process.stderr.write(`${message}\n`)
}
