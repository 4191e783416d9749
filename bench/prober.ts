/** A load of constant rate that is watched request by request: the other end of prober.process.ts. */
import { fileURLToPath } from 'node:url'
import { converse } from './processes.ts'

export interface Stream {
  readonly name: string
  readonly hosts: readonly string[]
  readonly requestsPerSecond: number
}

export interface ProberPlan {
  readonly port: number
  readonly path: string
  readonly streams: readonly Stream[]
}

export interface StreamResult {
  readonly sent: number
  readonly answered: number
  readonly failed: number
  /** The first few, to see what they were. */
  readonly failures: readonly string[]
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

export interface ProberResult {
  readonly streams: Readonly<Record<string, StreamResult>>
  /** The longest time that the prober itself did not get to run: the precision of its times. */
  readonly ownStallMs: number
}

export interface Prober {
  /** Waits for the last responses; returns what was seen since the start. */
  readonly finish: () => Promise<ProberResult>
  /** Ends it without a result. */
  readonly end: () => void
}

export function startProber(plan: ProberPlan): Prober {
  const program = fileURLToPath(new URL('./prober.process.ts', import.meta.url))
  const child = converse([process.execPath, program, JSON.stringify(plan)])
  let printed = ''
  child.stdout?.on('data', (chunk: Buffer) => (printed += chunk.toString()))
  child.stdin?.on('error', () => {})
  const closed = new Promise((done) => child.on('close', done))
  return {
    async finish() {
      child.stdin?.end()
      await closed
      return JSON.parse(printed) as ProberResult
    },
    end: () => void child.kill(),
  }
}
