/** A serving thread that fails when it gets the message `fail`. */
import { parentPort } from 'node:worker_threads'
import '../../src/process/worker.ts'

export const FAIL = 'fail'

parentPort?.on('message', (message: { readonly kind: string }) => {
  if (message.kind === FAIL) throw new Error('fails as requested')
})
