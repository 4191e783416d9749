/** A port that takes no connection and refuses none: the queue of its listener is full. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { eventually } from './until.ts'

const LISTENER = `
  const [host, port] = process.argv.slice(1)
  const server = require('node:net').createServer()
  server.listen({ host, port: Number(port), backlog: 1 }, () => {
    require('node:fs').writeSync(1, 'listening')
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
  })`

export async function startSilent(t: TestContext, host: string, port: number): Promise<void> {
  const child = spawn(process.execPath, ['-e', LISTENER, host, String(port)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const waiting: Socket[] = []
  t.after(() => {
    for (const socket of waiting) socket.destroy()
    child.kill('SIGKILL')
  })
  await once(child.stdout, 'data')
  let connected = 0
  // Each that is connected takes a place of the queue; where several wait, it is full.
  await eventually(() => {
    const socket = connect(port, host, () => connected++)
    socket.on('error', () => {})
    waiting.push(socket)
    return waiting.length - connected > 8
  }, 'the queue is full')
}
