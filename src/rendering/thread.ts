/** The rendering thread: it evaluates templates, one after another, away from the thread that leads the program. */
import { parentPort } from 'node:worker_threads'
import { makeText, type TextRequest } from './make-text.ts'

const port = parentPort
if (port === null) throw new Error('this module is for a worker thread')

const world = { environment: process.env, now: Date.now }

port.on('message', (request: TextRequest) => {
  port.postMessage(makeText(request, world))
})
