/** Steady load: a few keep-alive clients, each with one request after another, and an account of how each of them ended. */
import type { TestContext } from 'node:test'
import { setTimeout as passed } from 'node:timers/promises'
import { connectClient, type ReceivedResponse, type Client } from './client.ts'
import { value } from './message.ts'
import { createWatch } from './until.ts'

export interface LoadOptions {
  readonly port: number
  readonly clients: number
  /** The bytes of the next request. */
  readonly request: () => string
  /** Ends after so many requests; without it, by `stop`. */
  readonly total?: number
  /** Of each client between a response and its next request. */
  readonly pauseMs?: number
  /** How long a client waits for a response; by default as long as every test. */
  readonly patienceMs?: number
  /** A client whose connection is gone opens another one; without it, it stops there. */
  readonly reconnects?: boolean
  readonly onResponse?: (response: ReceivedResponse) => void
}

export interface Report {
  /** How often each status was the response. */
  readonly statuses: Readonly<Record<string, number>>
  readonly answered: number
  /** Requests without a whole response: why, and how many the connection had answered before. */
  readonly failures: readonly string[]
  /** Connections that could not be opened. */
  readonly refused: number
  /** Responses with `Connection: close`. */
  readonly goodbyes: number
}

export interface Load {
  report(): Report
  /** Waits until so many more are answered. */
  more(responses: number): Promise<void>
  /** Waits until every client has stopped by itself. */
  ended(): Promise<Report>
  stop(): Promise<Report>
}

/** It stops with the test, also when the test fails. */
export function startLoad(t: TestContext, options: LoadOptions): Load {
  const { port, clients, request, total = Infinity, pauseMs = 0, reconnects = false } = options
  const watch = createWatch()
  const statuses: Record<string, number> = {}
  const failures: string[] = []
  let asked = 0
  let answered = 0
  let refused = 0
  let goodbyes = 0
  let isStopped = false
  const open = new Set<Client>()

  async function drive(): Promise<void> {
    let client: Client | null = null
    while (!isStopped && asked < total) {
      if (client === null) {
        client = await connectClient(port).catch(() => null)
        if (client === null) {
          refused++
          if (!reconnects) return
          await passed(pauseMs)
          continue
        }
        open.add(client)
      }
      const goesOn = await ask(client)
      if (!goesOn) {
        client.socket.destroy()
        open.delete(client)
        client = null
        if (!reconnects) return
      }
      if (pauseMs > 0) await passed(pauseMs)
    }
    client?.socket.destroy()
  }

  /** False when the connection is of no more use. */
  async function ask(client: Client): Promise<boolean> {
    // Closed between two requests: nothing was lost.
    if (client.ending() !== null) return false
    asked++
    try {
      const response = await client.ask(request(), options.patienceMs)
      answered++
      statuses[response.status] = (statuses[response.status] ?? 0) + 1
      options.onResponse?.(response)
      const isLast = value(response, 'connection') === 'close'
      if (isLast) goodbyes++
      return !isLast
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error))
      return false
    } finally {
      watch.changed()
    }
  }

  const report = (): Report => ({ statuses, answered, failures, refused, goodbyes })
  const all = Promise.all(Array.from({ length: clients }, drive))
  t.after(() => {
    isStopped = true
    for (const { socket } of open) socket.destroy()
  })

  return {
    report,
    async more(responses) {
      const wanted = answered + responses
      await watch.until(() => answered >= wanted, `${responses} more responses`)
    },
    async ended() {
      await all
      return report()
    },
    async stop() {
      isStopped = true
      await all
      return report()
    },
  }
}
