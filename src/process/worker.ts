/** The entry of a worker thread. An error that is not caught ends the thread, and the main thread starts another. */
import { parentPort, workerData } from 'node:worker_threads'
import type { ThreadStart, ToThread } from './messages.ts'
import { createServingThread } from './serving-thread.ts'

if (parentPort === null) throw new Error('worker.ts is started by the main thread')
const port = parentPort
const thread = createServingThread(workerData as ThreadStart, (message) =>
  port.postMessage(message, message.kind === 'lines' ? [message.lines.buffer] : []),
)
port.on('message', (message: ToThread) => thread.receive(message))
