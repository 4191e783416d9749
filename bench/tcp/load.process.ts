/** One window of load on a proxy of TCP, and what came of it as one line of JSON. The servers are server.process.ts. */
import { connect } from 'node:net'
import { percentile } from '../figures.ts'
import type { TcpLoadPlan, TcpLoadResult } from './load.ts'

const MESSAGE = Buffer.alloc(64, 'E')
const BLOCK = Buffer.alloc(256 * 1024, 'u')
/** A connection without progress for so long has failed. */
const PATIENCE_MS = 20_000

const plan = JSON.parse(process.argv[2] ?? '') as TcpLoadPlan
const began = performance.now()
const endsAt = began + plan.seconds * 1000
const latencies: number[] = []
let done = 0
let failed = 0

await Promise.all(Array.from({ length: plan.connections }, work))
const result: TcpLoadResult = {
  done,
  failed,
  seconds: (performance.now() - began) / 1000,
  p50Ms: percentile(latencies, 0.5),
  p99Ms: percentile(latencies, 0.99),
}
console.log(JSON.stringify(result))

async function work(): Promise<void> {
  const { kind, bytes, connections } = plan
  switch (kind) {
    case 'connect':
      while (performance.now() < endsAt && failed === 0) {
        const from = performance.now()
        if (!(await exchange(0))) return
        latencies.push(performance.now() - from)
        done++
      }
      return
    case 'exchange':
      await exchange(endsAt)
      return
    case 'download':
    case 'upload':
      await transfer(kind, Math.floor(bytes / connections))
      return
    default:
      return kind satisfies never
  }
}

/** One exchange and the end, or exchanges until a time: those are counted here. Resolves when the connection is closed. */
function exchange(untilMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    let received = 0
    let isWhole = false
    let sentAt = 0
    const socket = connect({
      port: plan.port,
      host: '127.0.0.1',
      noDelay: true,
      onread: {
        buffer: Buffer.allocUnsafe(1024),
        callback(count) {
          received += count
          if (received < MESSAGE.length) return true
          received = 0
          const now = performance.now()
          if (untilMs > 0) {
            latencies.push(now - sentAt)
            done++
          }
          if (now < untilMs) {
            sentAt = now
            socket.write(MESSAGE)
          } else {
            isWhole = true
            socket.end()
          }
          return true
        },
      },
    })
    socket.setTimeout(PATIENCE_MS, () => socket.destroy())
    socket.on('error', () => {})
    socket.on('close', () => {
      if (!isWhole) failed++
      resolve(isWhole)
    })
    sentAt = performance.now()
    socket.write(MESSAGE)
  })
}

function transfer(kind: 'download' | 'upload', bytes: number): Promise<void> {
  return new Promise((resolve) => {
    const expected = kind === 'download' ? bytes : 1
    let received = 0
    let left = kind === 'download' ? 0 : bytes
    const socket = connect({
      port: plan.port,
      host: '127.0.0.1',
      noDelay: true,
      onread: {
        buffer: Buffer.allocUnsafe(256 * 1024),
        callback(count) {
          received += count
          return true
        },
      },
    })
    const more = (): void => {
      while (left > 0) {
        const part = left >= BLOCK.length ? BLOCK : BLOCK.subarray(0, left)
        left -= part.length
        if (!socket.write(part)) return
      }
    }
    socket.on('drain', more)
    socket.setTimeout(PATIENCE_MS, () => socket.destroy())
    socket.on('error', () => {})
    socket.on('close', () => {
      if (received === expected) done += bytes
      else failed++
      resolve()
    })
    socket.write(`${kind === 'download' ? 'D' : 'U'}${bytes}\n`)
    more()
  })
}
