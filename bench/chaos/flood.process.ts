/**
 * As many requests as a limiter can be given, each with a key of its own or all with the same, in batches on a few
 * connections: `node flood.process.ts PLAN`. Prints how often each status was the response.
 */
import { connect } from 'node:net'
import { once } from 'node:events'
import type { FloodPlan, FloodResult } from './keys.ts'

const CONNECTIONS = 8
const BATCH = 32
const STATUS = /HTTP\/1\.1 (\d\d\d)/g

const plan = JSON.parse(process.argv[2] ?? '') as FloodPlan
const statuses: Record<string, number> = {}
let next = 0

function batch(): string {
  let text = ''
  for (let i = 0; i < BATCH; i++) {
    const key = String(plan.firstKey + (plan.isDistinct ? next : 0)).padStart(12, '0')
    text += `GET /flood HTTP/1.1\r\nHost: localhost\r\nX-Key: client-${key}\r\n\r\n`
    next++
  }
  return text
}

async function drive(): Promise<void> {
  const socket = connect({ port: plan.port, host: '127.0.0.1', noDelay: true })
  socket.setEncoding('latin1')
  await once(socket, 'connect')
  let rest = ''
  let answered = 0
  await new Promise<void>((resolve, reject) => {
    socket.on('error', reject)
    socket.on('close', () => reject(new Error(`closed after ${answered} responses`)))
    socket.on('data', (text: string) => {
      rest += text
      let end = 0
      for (const match of rest.matchAll(STATUS)) {
        const [line, status = ''] = match
        statuses[status] = (statuses[status] ?? 0) + 1
        answered++
        end = match.index + line.length
      }
      // A status line may be cut between two pieces.
      rest = rest.slice(Math.max(end, rest.length - 11))
      if (answered % BATCH !== 0) return
      if (next < plan.requests) socket.write(batch())
      else resolve()
    })
    socket.write(batch())
  })
  socket.removeAllListeners('close')
  socket.destroy()
}

const began = performance.now()
await Promise.all(Array.from({ length: CONNECTIONS }, drive))
const result: FloodResult = { statuses, seconds: (performance.now() - began) / 1_000 }
console.log(JSON.stringify(result))
