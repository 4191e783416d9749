/** A serving thread that fails when it is told to: the entry for tests of what happens then. */
import { parentPort } from 'node:worker_threads'
import '../../src/process/worker.ts'

export const FAIL = 'fail'

parentPort?.on('message', (message: { readonly kind: string }) => {
  if (message.kind === FAIL) throw new Error('told to fail')
})
