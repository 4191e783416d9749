/** `sluice healthcheck`, for a container engine every few seconds: one request, one line, one exit code. */
import { setTimeout as delay } from 'node:timers/promises'
import { Client } from 'undici'
import { formatAddress } from '../model/address.ts'
import type { Address } from '../model/snapshot.ts'
import { adminOrigin } from './admin-client.ts'

const PATIENCE_MS = 2500
const ASK_AGAIN_MS = 100

/** Retries until it is ready, for `waitMs` at most, and prints the last result. */
export async function waitForReady(
  address: Address,
  waitMs: number,
  print: (line: string) => void,
  isTls: boolean = false,
): Promise<0 | 1> {
  const deadline = performance.now() + waitMs
  for (;;) {
    let said = ''
    const code = await runHealthcheck(address, (line) => (said = line), PATIENCE_MS, isTls)
    if (code === 0 || performance.now() + ASK_AGAIN_MS > deadline) {
      print(said)
      return code
    }
    await delay(ASK_AGAIN_MS)
  }
}

/** Requests /readyz of the admin at `address`. Returns the exit code. */
export async function runHealthcheck(
  address: Address,
  print: (line: string) => void,
  patienceMs: number = PATIENCE_MS,
  isTls: boolean = false,
): Promise<0 | 1> {
  // Its own agent: without a proxy of the environment, and closed when this ends.
  // It sends no secret and believes only a status, and the certificate is for another name than this address.
  const client = isTls
    ? new Client(adminOrigin(address, 'https'), { connect: { rejectUnauthorized: false } })
    : new Client(adminOrigin(address))
  try {
    const signal = AbortSignal.timeout(patienceMs)
    const { statusCode, body } = await client.request({ path: '/readyz', method: 'GET', signal })
    await body.dump({ limit: 64 * 1024, signal })
    print(statusCode === 200 ? 'ready' : `not ready: /readyz responded with ${statusCode}`)
    return statusCode === 200 ? 0 : 1
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    print(`not ready: the admin at ${formatAddress(address)} does not respond: ${reason}`)
    return 1
  } finally {
    await client.destroy()
  }
}
