/**
 * Fetches the Debian packages of a Docker engine with networks and Swarm, which test/support/docker-networks.ts starts in namespaces.
 * Ends with 1 and a line if none can run here.
 */
import { fetchNetworks, whyNoNetworks } from '../test/support/docker-networks.ts'

const reason = await whyNoNetworks()
if (reason !== null) {
  console.error(reason)
  process.exit(1)
}
console.log((await fetchNetworks()).root)
