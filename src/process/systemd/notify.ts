/**
 * Tells systemd the state of the program (sd_notify, `Type=notify`). Node cannot send datagrams to unix sockets, so each message
 * is one run of the program systemd-notify (about 5 ms of CPU, and only where systemd has set NOTIFY_SOCKET). systemd
 * sees that program as the sender: the unit needs NotifyAccess=all.
 */
import { execFile } from 'node:child_process'

export interface ServiceManager {
  /** systemd has started this program as a unit of Type=notify. */
  readonly isThere: boolean
  /** Lines such as READY=1. Resolves when they, and those before them, were sent or could not be. */
  notify(...lines: readonly string[]): Promise<void>
  /** Begins the watchdog, if the unit has one: it is fed while `isAlive` holds. */
  watch(isAlive: (withinMs: number) => boolean): void
  stop(): void
}

export interface ServiceManagerOptions {
  readonly env: NodeJS.ProcessEnv
  readonly pid: number
  /** Takes why messages cannot be sent, once. */
  readonly complain: (text: string) => void
}

const PROGRAM = 'systemd-notify'
/** It waits until systemd has read the message. */
const SENT_WITHIN_MS = 5_000

/** Does nothing if NOTIFY_SOCKET is not set. */
export function openServiceManager({ env, pid, complain }: ServiceManagerOptions): ServiceManager {
  const isThere = (env['NOTIFY_SOCKET'] ?? '') !== ''
  const watchMs = isThere ? watchdogMs(env, pid) : null
  let last: Promise<void> = Promise.resolve()
  let isKnownBad = false
  let timer: NodeJS.Timeout | null = null

  function send(lines: readonly string[]): Promise<void> {
    return new Promise((resolve) => {
      execFile(PROGRAM, lines, { env, timeout: SENT_WITHIN_MS }, (error, _output, errors) => {
        if (error !== null && !isKnownBad) {
          isKnownBad = true
          const why = error.code === 'ENOENT' ? 'there is no such program' : errors.trim()
          complain(
            `cannot notify systemd by ${PROGRAM}: ${why || error.message}; a unit of Type=notify fails`,
          )
        }
        resolve()
      })
    })
  }

  function notify(...lines: readonly string[]): Promise<void> {
    if (isThere && lines.length > 0) last = last.then(() => send(lines))
    return last
  }

  return {
    isThere,
    notify,
    watch(isAlive) {
      if (watchMs === null) return
      timer = setInterval(() => {
        if (isAlive(watchMs / 2)) void notify('WATCHDOG=1')
      }, watchMs / 2)
      timer.unref()
    },
    stop() {
      if (timer !== null) clearInterval(timer)
    },
  }
}

/** Null: the unit has no watchdog, or it watches another process. After an upgrade WATCHDOG_PID is absent. */
function watchdogMs(env: NodeJS.ProcessEnv, pid: number): number | null {
  const of = env['WATCHDOG_PID'] ?? String(pid)
  const microseconds = Number(env['WATCHDOG_USEC'] ?? Number.NaN)
  return of === String(pid) && microseconds > 0 ? microseconds / 1000 : null
}
