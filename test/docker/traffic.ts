/** Requests to the example that runs, by the port that it publishes. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { setTimeout as passed } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { connectClient } from '../support/client.ts'
import { startLoad, type Load } from '../support/load.ts'

export const EXAMPLES: string = fileURLToPath(new URL('../../examples', import.meta.url))
const PORT = 8080
/** Of the examples' service. */
const HOST = 'web.localhost'
/** An engine that is busy with ten containers. */
const WITHIN_MS = 60_000
const POLL_MS = 50

export interface Answer {
  /** 0: there was none. */
  readonly status: number
  readonly text: string
  readonly headers: Readonly<Record<string, string>>
}

/** On a connection of its own. */
export async function get(
  host: string,
  path: string,
  ...lines: readonly string[]
): Promise<Answer> {
  const client = await connectClient(PORT).catch(() => null)
  const head = [`GET ${path} HTTP/1.1`, `Host: ${host}`, ...lines]
  const response = await client?.ask(`${head.join('\r\n')}\r\n\r\n`).catch(() => null)
  client?.socket.destroy()
  if (response === null || response === undefined) return { status: 0, text: '', headers: {} }
  const headers = Object.fromEntries(
    response.fields.map(([name, text]) => [name.toLowerCase(), text]),
  )
  return { status: response.status, text: String(response.body).trim(), headers }
}

/** Whether the example serves. */
export async function isServing(): Promise<boolean> {
  return (await get(HOST, '/')).status === 200
}

/** `explain`: what is shown if it does not come true. */
export async function until(
  isSo: () => Promise<boolean> | boolean,
  what: string,
  explain: () => Promise<string>,
): Promise<void> {
  const deadline = performance.now() + WITHIN_MS
  while (!(await isSo())) {
    if (performance.now() > deadline) {
      assert.fail(`${what}: not within ${WITHIN_MS} ms\n${await explain()}`)
    }
    await passed(POLL_MS)
  }
}

export interface Traffic extends Load {
  /** Since the last `forget`: containers that have answered, with the time of the first answer, ms since the epoch. */
  readonly containers: ReadonlyMap<string, number>
  forget(): void
  /** From these times, ms since the epoch, to the first answer, ms; without those of `before`. */
  lagsAfter(
    times: ReadonlyMap<string, number>,
    before: ReadonlyMap<string, number>,
  ): readonly number[]
  /** Ends it; each request must have been answered with 200. */
  assertAllAnswered(): Promise<void>
}

export function startTraffic(t: TestContext, clients: number, pauseMs = 0): Traffic {
  const containers = new Map<string, number>()
  const load = startLoad(t, {
    port: PORT,
    clients,
    request: () => `GET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`,
    pauseMs,
    reconnects: true,
    onResponse({ status, body }) {
      const name = String(body).trim()
      if (status === 200 && !containers.has(name)) containers.set(name, Date.now())
    },
  })
  return {
    ...load,
    containers,
    forget: () => containers.clear(),
    lagsAfter: (times, before) =>
      [...times]
        .filter(([id]) => !before.has(id))
        .map(([id, at]) => (containers.get(id) ?? NaN) - at),
    async assertAllAnswered() {
      const { statuses, failures, refused, answered } = await load.stop()
      assert.deepEqual([failures, refused, statuses], [[], 0, { 200: answered }])
    },
  }
}
