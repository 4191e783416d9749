/** `sluice healthcheck`, for a container engine every few seconds: one request, one line, one exit code. */
import { setTimeout as delay } from 'node:timers/promises'
import { createClient, SluiceError } from '../client/client.ts'
import { messageOf } from '../model/error-message.ts'
import type { Address } from '../model/snapshot.ts'
import { adminOrigin } from './admin-client.ts'

const PATIENCE_MS = 2500
const ASK_AGAIN_MS = 100
const MAX_BYTES = 64 * 1024

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
  // It sends no secret and believes only a status, and the certificate is for another name than this address.
  const client = createClient({
    baseUrl: adminOrigin(address, isTls ? 'https' : 'http'),
    ...(isTls ? { tls: { verify: false } } : {}),
    timeoutMs: patienceMs,
    maxBytes: MAX_BYTES,
  })
  try {
    await client.request({ method: 'GET', path: '/readyz' })
    print('ready')
    return 0
  } catch (error) {
    const status = error instanceof SluiceError ? error.status : null
    const reason = messageOf(error)
    print(`not ready: ${status === null ? reason : `/readyz responded with ${status}`}`)
    return 1
  } finally {
    client.close()
  }
}
