/**
 * Preloaded into each thread of a program (--import): writes the names that getaddrinfo is asked for, a line each, into the file
 * LOOKUPS. It runs in libuv's threads. Addresses are left out: Node does not look them up.
 */
import dns from 'node:dns'
import { appendFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { isIP } from 'node:net'

const file = process.env['LOOKUPS'] ?? ''

for (const owner of [dns, dns.promises]) {
  const original = owner.lookup as (name: string, ...rest: unknown[]) => unknown
  const noting = (name: string, ...rest: unknown[]): unknown => {
    if (isIP(name) === 0) appendFileSync(file, `${name}\n`)
    return original(name, ...rest)
  }
  Object.assign(owner, { lookup: noting })
}
syncBuiltinESMExports()
