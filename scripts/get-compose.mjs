/**
 * `node scripts/get-compose.mjs`: prints the path of the compose plugin of Docker's client, version 2, for `npm run test:docker`. It
 * is that of a newer Debian suite (bookworm has version 1), extracted into node_modules/.cache.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { extractFromSuite } from './from-suite.mjs'

const SUITE = 'trixie'

const cache = fileURLToPath(new URL('../node_modules/.cache/docker-compose', import.meta.url))
const plugin = join(cache, 'root/usr/libexec/docker/cli-plugins/docker-compose')
if (!existsSync(plugin)) extractFromSuite(SUITE, 'docker-compose', cache)
console.log(plugin)
