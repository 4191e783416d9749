/** A serving thread that dies of the table, as soon as it has applied a part of it. */
import { parentPort } from 'node:worker_threads'
import '../../src/process/worker.ts'

parentPort?.on('message', (message: { readonly kind: string }) => {
  if (message.kind !== 'delta') return
  // Behind the acknowledgement, which takes some turns.
  const timer = setInterval(() => {
    clearInterval(timer)
    throw new Error('the second part kills')
  }, 5)
})
