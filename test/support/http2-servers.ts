/** A gateway in front of servers that speak HTTP/2. */
import type { TestContext } from 'node:test'
import { openClient, type Client, type ReceivedResponse } from './client.ts'
import { startGateway, type TestGateway } from './gateway.ts'
import { get } from './refusal.ts'

export interface ServersForm {
  /** By id; one alone is `s`. */
  readonly servers: Readonly<Record<string, number>> | number
  /** Of the backend. */
  readonly backend?: object
  readonly frontend?: object
  readonly scheme?: string
}

export function towardsHttp2(t: TestContext, form: ServersForm): Promise<TestGateway> {
  return startGateway(t, configOf(form))
}

export function configOf({ servers, backend, frontend, scheme = 'h2c' }: ServersForm): object {
  const ports = typeof servers === 'number' ? { s: servers } : servers
  const urls = Object.entries(ports).map(([id, port]) => [id, `${scheme}://127.0.0.1:${port}`])
  return {
    listeners: { web: { address: '127.0.0.1:0' } },
    backends: { b: { servers: Object.fromEntries(urls) as object, ...backend } },
    frontends: { f: { route: 'PathPrefix("/")', backend: 'b', ...frontend } },
  }
}

/** As many requests at a time, each on a connection of its own. */
export async function askTogether(
  t: TestContext,
  gateway: TestGateway,
  count: number,
  target: (index: number) => string = (index) => `/${index}`,
): Promise<readonly ReceivedResponse[]> {
  const clients = await Promise.all(
    Array.from({ length: count }, () => openClient(t, gateway.port)),
  )
  return Promise.all(clients.map((client, index) => client.ask(get(target(index)))))
}

export type { Client }
