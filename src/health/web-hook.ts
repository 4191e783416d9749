/** Calls a web-hook, once. The caller logs a failure. */
import type { LookupFunction } from 'node:net'
import { denyHost } from '../model/denied-address.ts'
import { withoutRoot } from '../model/address.ts'
import { messageOf } from '../model/error-message.ts'
import type { WebHook } from '../model/snapshot.ts'
import { httpClient } from './http-client.ts'

export interface SendOptions {
  /** Resolves the names of hooks. */
  readonly lookup: LookupFunction
  /** Until the head of the response. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

const TIMEOUT_MS = 5_000

/**
 * Resolves with the status of the response if it is 2xx, and rejects otherwise. The error names only the host, because the
 * rest of a url may be secret. Redirects are not followed, and the body of the response is not read.
 */
export async function sendHook(hook: WebHook, options: SendOptions): Promise<number> {
  const { lookup, timeoutMs = TIMEOUT_MS, signal } = options
  const { host, hostname } = new URL(hook.url)
  const denied = denyHost(hostname.replace(/^\[|\]$/g, ''))
  if (denied !== null) throw new Error(`cannot call ${host}: it ${denied}`)
  const { Agent, request } = await httpClient.load()
  // With its own agent no proxy of the environment is used, and no connection stays open.
  const isWhole = hostname.endsWith('.')
  const servername = isWhole ? { servername: withoutRoot(hostname) } : {}
  const agent = new Agent({ connect: { lookup, timeout: timeoutMs, ...servername } })
  const timeout = AbortSignal.timeout(timeoutMs)
  try {
    const { statusCode, body } = await request(hook.url, {
      method: hook.method as 'POST',
      headers: writeHeaders(hook),
      body: hook.body === '' ? null : hook.body,
      signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
      dispatcher: agent,
    })
    // It fails when the agent is destroyed, which is no fault.
    body.on('error', () => {})
    if (statusCode >= 300) throw new Error(`it returned ${statusCode}`)
    return statusCode
  } catch (error) {
    const reason = timeout.aborted ? `no response within ${timeoutMs} ms` : reasonOf(error)
    throw new Error(`cannot call ${host}: ${reason}`, { cause: error })
  } finally {
    await agent.destroy()
  }
}

function writeHeaders({ headers }: WebHook): Record<string, string | string[]> {
  return Object.fromEntries(Object.entries(headers).map(([name, values]) => [name, [...values]]))
}

/** If several addresses fail together, the reason of the first is enough. */
function reasonOf(error: unknown): string {
  const [first] = error instanceof AggregateError ? (error.errors as unknown[]) : [error]
  return messageOf(first)
}
