/** Preloaded into each thread of a program (--import): writes what the thread loads, a line each, into the file LOADED. */
import { appendFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { threadId } from 'node:worker_threads'

const file = process.env['LOADED'] ?? ''

registerHooks({
  load(url, context, next) {
    const [, name = url] = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url) ?? []
    appendFileSync(file, `${threadId} ${name}\n`)
    return next(url, context)
  },
})
