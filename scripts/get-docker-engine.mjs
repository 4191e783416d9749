/**
 * Fetches the Debian packages of a Docker engine, which test/support/docker-engine.ts starts, and prints their folder. Ends with 1
 * and a line if no engine can run here: it needs root and the right to mount.
 */
import { fetchEngine, whyNoEngine } from '../test/support/docker-engine.ts'

const reason = await whyNoEngine()
if (reason !== null) {
  console.error(reason)
  process.exit(1)
}
console.log(await fetchEngine())
