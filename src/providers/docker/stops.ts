/**
 * Containers that have got a signal to stop. Docker reports the signal (the event `kill`) when it has sent it, before the
 * container ends: from then on it gets no new requests, while those in flight end in the time that it has to stop.
 *
 * SIGTERM and SIGKILL are taken for a stop, and so is the signal that the container names itself (STOPSIGNAL: SIGQUIT of
 * nginx, SIGWINCH of Apache). Others are not: SIGHUP reloads, SIGUSR1 opens log files again, SIGQUIT makes a JVM write its
 * threads. A container that ends by one of those is removed when it has ended.
 */
import { constants } from 'node:os'
import { isMap } from '../../model/parsed.ts'

export interface Stops {
  /** A signal was sent to the container: a number or a name. */
  signalled(id: string, signal: string): void
  /** It has started, or has ended. */
  forget(id: string): void
  /** It has got a signal to stop, and still runs. */
  isStopping(id: string): boolean
  close(): void
}

export interface StopsOptions {
  /** What `GET /containers/ID/json` says, or null. */
  readonly inspect: (id: string) => Promise<unknown>
  /** A container stops, or runs on although it should have stopped. */
  readonly onChange: (id: string, isStopping: boolean) => void
}

/** Docker's, if the container names none. `docker stop --time` is not known here: it may be longer. */
const STOP_TIMEOUT_MS = 10_000
const MAX_TIMEOUT_MS = 24 * 3_600_000
/** After it, SIGKILL ends a container at once. */
const GRACE_MS = 5_000

interface StopSettings {
  readonly signal: string
  readonly timeoutMs: number
}

const DEFAULTS: StopSettings = { signal: '15', timeoutMs: STOP_TIMEOUT_MS }

export function createStops({ inspect, onChange }: StopsOptions): Stops {
  /** By id: ends the wait for the container's end. */
  const stopping = new Map<string, NodeJS.Timeout>()
  /** By id: the last signal, while the container is looked at. */
  const deciding = new Map<string, object>()

  function begin(id: string, afterMs: number): void {
    const isNew = !stopping.has(id)
    clearTimeout(stopping.get(id))
    const timer = setTimeout(() => {
      stopping.delete(id)
      onChange(id, false)
    }, afterMs)
    stopping.set(id, timer.unref())
    if (isNew) onChange(id, true)
  }

  async function decide(id: string, signal: string): Promise<void> {
    const isSure = signal === '15' || signal === '9'
    if (isSure) begin(id, STOP_TIMEOUT_MS + GRACE_MS)
    const decision = {}
    deciding.set(id, decision)
    const settings = readStopSettings(await inspect(id).catch(() => null))
    // It may have ended and started again meanwhile.
    if (deciding.get(id) !== decision) return
    deciding.delete(id)
    if (isSure || settings.signal === signal) {
      begin(id, Math.max(settings.timeoutMs, STOP_TIMEOUT_MS) + GRACE_MS)
    }
  }

  return {
    signalled: (id, signal) => void decide(id, toNumber(signal)),
    forget(id) {
      deciding.delete(id)
      clearTimeout(stopping.get(id))
      stopping.delete(id)
    },
    isStopping: (id) => stopping.has(id),
    close() {
      deciding.clear()
      for (const timer of stopping.values()) clearTimeout(timer)
      stopping.clear()
    },
  }
}

export function readStopSettings(inspected: unknown): StopSettings {
  const { Config: config } = isMap(inspected) ? inspected : {}
  const { StopSignal: signal, StopTimeout: seconds } = isMap(config) ? config : {}
  const timeoutMs =
    typeof seconds === 'number' && seconds >= 0 ? Math.min(seconds * 1000, MAX_TIMEOUT_MS) : null
  return {
    signal: typeof signal === 'string' && signal !== '' ? toNumber(signal) : DEFAULTS.signal,
    timeoutMs: timeoutMs ?? DEFAULTS.timeoutMs,
  }
}

/** `15` of `15`, `TERM`, `SIGTERM` and `sigterm`; `37` of `SIGRTMIN+3` (signal(7), as Docker counts them). */
function toNumber(signal: string): string {
  const text = signal.trim().toUpperCase().replace(/^SIG/, '')
  if (/^\d+$/.test(text)) return String(Number(text))
  const realTime = /^RTMIN(?:\+(\d{1,2}))?$/.exec(text)
  if (realTime !== null) return String(34 + Number(realTime[1] ?? 0))
  const known: Readonly<Record<string, number>> = constants.signals
  const number = Object.hasOwn(known, `SIG${text}`) ? known[`SIG${text}`] : undefined
  return number === undefined ? text : String(number)
}
