/** One request before the load: whether anything responds there, and with what. */
import { request as requestPlain } from 'node:http'
import { request as requestSecure } from 'node:https'
import { serverNameOf, type LoadTarget } from './load-plan.ts'
import type { BenchOptions } from './words.ts'

export interface FirstResponse {
  readonly status: number
  readonly bytes: number
}

const LARGEST = 64 * 1024 * 1024

/** Rejects with the reason, for a message. */
export function requestOnce(
  { url, host }: LoadTarget,
  { method, headers }: Pick<BenchOptions, 'method' | 'headers'>,
  body: Uint8Array | null,
  patienceMs: number,
): Promise<FirstResponse> {
  return new Promise((resolve, reject) => {
    const send = url.startsWith('https:') ? requestSecure : requestPlain
    const call = send(url, {
      method,
      headers: { ...headers, Host: host },
      agent: false,
      // As the load generator: what is measured is speed.
      rejectUnauthorized: false,
      servername: serverNameOf(host),
      signal: AbortSignal.timeout(patienceMs),
    })
    const fail = (error: Error): void => {
      reject(new Error(`${url} does not respond: ${reasonOf(error, patienceMs)}`, { cause: error }))
    }
    call.on('error', fail)
    call.on('response', (response) => {
      let bytes = 0
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes > LARGEST) call.destroy(new Error('its response is larger than 64 MiB'))
      })
      response.on('error', fail)
      response.on('end', () => resolve({ status: response.statusCode ?? 0, bytes }))
    })
    call.end(body ?? undefined)
  })
}

function reasonOf(error: Error, patienceMs: number): string {
  if (error.name === 'TimeoutError' || error.name === 'AbortError') {
    return `nothing came within ${patienceMs / 1000} s`
  }
  return error.message || ('code' in error ? String(error.code) : error.name)
}
