/**
 * The entry of a worker thread. Its first message is the start of the thread. An error that is not caught ends the thread, and
 * the main thread starts another.
 */
import { parentPort } from 'node:worker_threads'
import type { ThreadStart, ToThread } from './messages.ts'
import { createServingThread } from './serving-thread.ts'

if (parentPort === null) throw new Error('worker.ts is started by the main thread')
const port = parentPort
port.once('message', (start: ThreadStart) => {
  const thread = createServingThread(start, (message) =>
    port.postMessage(message, message.kind === 'lines' ? [message.lines.buffer] : []),
  )
  port.on('message', (message: ToThread) => thread.receive(message))
})
