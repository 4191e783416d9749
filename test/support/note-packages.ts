/**
 * Preloaded into each thread of a program (--import): writes what the thread loads, a line each, into the file LOADED. The package
 * MISSING is not found.
 */
import { appendFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { threadId } from 'node:worker_threads'

const file = process.env['LOADED'] ?? ''

registerHooks({
  resolve(specifier, context, next) {
    if (specifier === process.env['MISSING']) throw new Error(`Cannot find package '${specifier}'`)
    return next(specifier, context)
  },
  load(url, context, next) {
    const [, name = url] = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url) ?? []
    appendFileSync(file, `${threadId} ${name}\n`)
    return next(url, context)
  },
})
