/** `sluice healthcheck`: what a container engine asks every few seconds. One request, one line, one exit code. */
import { Client } from 'undici'
import { isEverywhere, plainHost } from '../model/ip.ts'
import { formatAddress } from '../model/address.ts'
import { bracketHost } from '../model/host.ts'
import type { Address } from '../model/snapshot.ts'

const PATIENCE_MS = 2500

/** Asks /readyz of the admin at `address`. Returns the exit code. */
export async function runHealthcheck(
  address: Address,
  print: (line: string) => void,
  patienceMs: number = PATIENCE_MS,
): Promise<0 | 1> {
  // A client of its own: never through a proxy that the environment names, and closed when this ends.
  const client = new Client(`http://${bracketHost(reachable(address.host))}:${address.port}`)
  try {
    const signal = AbortSignal.timeout(patienceMs)
    const { statusCode, body } = await client.request({ path: '/readyz', method: 'GET', signal })
    await body.dump({ limit: 64 * 1024, signal })
    print(statusCode === 200 ? 'ready' : `not ready: /readyz answered ${statusCode}`)
    return statusCode === 200 ? 0 : 1
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    print(`not ready: the admin at ${formatAddress(address)} did not answer: ${reason}`)
    return 1
  } finally {
    await client.destroy()
  }
}

/** Who listens on every interface is asked on the loopback one. */
function reachable(host: string): string {
  if (!isEverywhere(host)) return host
  return plainHost(host) === '::' ? '::1' : '127.0.0.1'
}
