/** Clients that ask for one name after another, over kept connections, and tell how each request went. */
import { setTimeout as passed } from 'node:timers/promises'
import { connectClient, type Client } from './client.ts'

export interface NamedResponse {
  readonly name: string
  /** 0: there was no whole response. */
  readonly status: number
  readonly body: string
  readonly tookMs: number
}

export interface NamedLoad {
  stop(): Promise<void>
}

export function startNamedLoad(
  port: number,
  names: readonly string[],
  { clients, pauseMs }: { readonly clients: number; readonly pauseMs: number },
  onResponse: (response: NamedResponse) => void,
): NamedLoad {
  let isStopped = false
  let next = 0

  async function drive(): Promise<void> {
    let client: Client | null = null
    while (!isStopped) {
      const name = names[next++ % names.length] ?? ''
      const began = performance.now()
      try {
        if (client === null || client.ending() !== null) client = await connectClient(port)
        const response = await client.ask(`GET / HTTP/1.1\r\nHost: ${name}\r\n\r\n`)
        const { status, body } = response
        onResponse({ name, status, body: body.toString(), tookMs: performance.now() - began })
      } catch (error) {
        client = null
        onResponse({ name, status: 0, body: String(error), tookMs: performance.now() - began })
      }
      await passed(pauseMs)
    }
    client?.socket.destroy()
  }

  const all = Promise.all(Array.from({ length: clients }, drive))
  return {
    async stop() {
      isStopped = true
      await all
    },
  }
}
