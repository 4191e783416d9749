/**
 * Holds connections: `node idle.process.ts PORT`. A number on a line of its standard input opens so many more; each sends one
 * byte and gets the name of its server. A line of JSON then says what is open and what has ended. Ends with its input.
 */
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { createInterface } from 'node:readline'
import type { IdleResult } from './load.ts'

const AT_ONCE = 100
const port = Number(process.argv[2])
const sockets = new Set<Socket>()
const open: Record<string, number> = {}
const ended: Record<string, number> = {}
let failed = 0

for await (const line of createInterface({ input: process.stdin })) {
  let left = Number(line)
  const some = async (): Promise<void> => {
    while (left-- > 0) await openOne()
  }
  await Promise.all(Array.from({ length: AT_ONCE }, some))
  console.log(JSON.stringify({ open, ended, failed } satisfies IdleResult))
}
for (const socket of sockets) socket.destroy()

/** Resolves when it has the name of its server, or has failed. */
function openOne(): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    let server: string | null = null
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('data', (bytes) => {
      server = bytes.toString('latin1').trim()
      open[server] = (open[server] ?? 0) + 1
      resolve()
    })
    socket.on('close', () => {
      sockets.delete(socket)
      if (server === null) failed++
      else {
        open[server] = (open[server] ?? 0) - 1
        ended[server] = (ended[server] ?? 0) + 1
      }
      resolve()
    })
    socket.write('N')
  })
}
