/**
 * Sends requests at a constant rate over kept connections, independent of the responses, and notes how long each took. On raw
 * sockets, so that its own work is small against what it looks for. Ends when its standard input does.
 */
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { percentile } from './figures.ts'
import type { ProberPlan, ProberResult, Stream, StreamResult } from './prober.ts'

const TICK_MS = 1
const LAST_RESPONSES_MS = 5000

const plan = JSON.parse(process.argv[2] ?? '') as ProberPlan

class Flow {
  readonly latenciesMs: number[] = []
  readonly failures: string[] = []
  readonly stream: Stream
  sent = 0
  failed = 0
  private readonly idle: Socket[] = []

  constructor(stream: Stream) {
    this.stream = stream
  }

  /** Sends as many as are due by now; none is left out because others are slow. */
  catchUp(elapsedMs: number): void {
    const due = Math.floor((elapsedMs * this.stream.requestsPerSecond) / 1000)
    while (this.sent < due) this.send()
  }

  underWay(): number {
    return this.sent - this.latenciesMs.length - this.failed
  }

  close(): void {
    for (const socket of this.idle) socket.destroy()
  }

  result(): StreamResult {
    return {
      sent: this.sent,
      answered: this.latenciesMs.length,
      failed: this.failed,
      failures: this.failures,
      p50Ms: percentile(this.latenciesMs, 0.5),
      p99Ms: percentile(this.latenciesMs, 0.99),
      maxMs: percentile(this.latenciesMs, 1),
    }
  }

  private send(): void {
    const host = this.stream.hosts[this.sent % this.stream.hosts.length] ?? ''
    this.sent++
    const socket = this.idle.pop() ?? connect({ port: plan.port, host: '127.0.0.1', noDelay: true })
    const began = performance.now()
    let received = ''
    const settle = (failure: string | null): void => {
      forget(socket)
      if (failure === null) {
        this.latenciesMs.push(performance.now() - began)
        this.keep(socket)
      } else {
        this.failed++
        if (this.failures.length < 5) this.failures.push(`${host}: ${failure}`)
        socket.destroy()
      }
    }
    forget(socket)
    socket.on('error', (error) => settle(error.message))
    socket.on('close', () => settle('closed before the response was whole'))
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1')
      const head = received.indexOf('\r\n\r\n')
      if (head < 0) return
      const length = Number(/\r\ncontent-length: *(\d+)/i.exec(received.slice(0, head + 2))?.[1])
      if (received.length < head + 4 + length) return
      const status = received.slice(9, 12)
      settle(status === '200' ? null : `status ${status}`)
    })
    socket.write(`GET ${plan.path} HTTP/1.1\r\nHost: ${host}\r\nAccept: */*\r\n\r\n`)
  }

  /** A connection that the proxy closes while nothing is under way on it has not failed anybody. */
  private keep(socket: Socket): void {
    this.idle.push(socket)
    socket.on('close', () => {
      const index = this.idle.indexOf(socket)
      if (index >= 0) this.idle.splice(index, 1)
    })
  }
}

/** Takes the listeners of this file off; the socket's own, which close it when the other side does, stay. */
function forget(socket: Socket): void {
  for (const event of ['data', 'close', 'error']) socket.removeAllListeners(event)
  socket.on('error', () => {})
}

const flows = plan.streams.map((stream) => new Flow(stream))
const began = performance.now()
let last = began
let ownStallMs = 0
const ticking = setInterval(() => {
  const now = performance.now()
  ownStallMs = Math.max(ownStallMs, now - last - TICK_MS)
  last = now
  for (const flow of flows) flow.catchUp(now - began)
}, TICK_MS)

process.stdin.resume()
process.stdin.on('end', () => void finish())

async function finish(): Promise<void> {
  clearInterval(ticking)
  const deadline = performance.now() + LAST_RESPONSES_MS
  while (flows.some((flow) => flow.underWay() > 0) && performance.now() < deadline) await pause(5)
  const streams = Object.fromEntries(flows.map((flow) => [flow.stream.name, flow.result()]))
  const result: ProberResult = { streams, ownStallMs }
  for (const flow of flows) flow.close()
  console.log(JSON.stringify(result))
}
