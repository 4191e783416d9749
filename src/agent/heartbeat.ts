/** A file whose time of change shows that the agent runs, as nerve's `heartbeat_path`. */
import { closeSync, futimesSync, openSync } from 'node:fs'
import type { Log } from '../observe/log.ts'

export interface Heartbeat {
  /** Null: no file is touched from now on. */
  follow(path: string | null): void
  stop(): void
}

const EVERY_MS = 5_000

export function createHeartbeat(log: Pick<Log, 'warn'>): Heartbeat {
  let path: string | null = null
  let isBroken = false

  function beat(): void {
    if (path === null) return
    try {
      touch(path)
      isBroken = false
    } catch (error) {
      if (!isBroken) log.warn({ err: error }, `the heartbeat ${path} cannot be touched`)
      isBroken = true
    }
  }

  const timer = setInterval(beat, EVERY_MS)
  return {
    follow(next) {
      path = next
      beat()
    },
    stop: () => clearInterval(timer),
  }
}

function touch(path: string): void {
  const fd = openSync(path, 'a', 0o644)
  try {
    const now = Date.now() / 1000
    futimesSync(fd, now, now)
  } finally {
    closeSync(fd)
  }
}
