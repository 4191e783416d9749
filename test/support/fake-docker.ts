/**
 * A fake Docker engine, for what a real one cannot be made to do: 1,000 containers, an API of another version, nonsense. It
 * answers GET /version, /events, /containers/json and /containers/ID/json as Docker's API reference documents them.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Owner } from './daemon.ts'

/** As in `GET /containers/json`. */
export interface FakeContainer {
  readonly Id: string
  readonly Names: readonly string[]
  readonly State: string
  readonly Status: string
  readonly Labels: Readonly<Record<string, string>> | null
  readonly [member: string]: unknown
}

export interface FakeDocker {
  readonly endpoint: string
  /** Paths of requests, with their queries decoded. */
  readonly requests: string[]
  /** By id. A change of it is seen by the next list; `emit` tells of it. */
  readonly containers: Map<string, FakeContainer>
  /** Adds it, and tells that it has started. */
  start(container: FakeContainer): void
  /** Removes it, and tells that it has died. */
  stop(id: string): void
  emit(event: object | string): void
  /** Answers this path, without its version, in its own way from now on. */
  answer(path: string, respond: (response: ServerResponse, request: IncomingMessage) => void): void
  /** Ends all connections. */
  cut(): void
}

export interface FakeDockerOptions {
  readonly version?: object
  /** Of `GET /containers/ID/json`. */
  readonly inspect?: (id: string) => object
}

/** Docker 29.0. */
const VERSION = { Version: '29.0.0', ApiVersion: '1.52', MinAPIVersion: '1.44', Os: 'linux' }

export async function startFakeDocker(
  owner: Owner,
  { version = VERSION, inspect = () => ({}) }: FakeDockerOptions = {},
): Promise<FakeDocker> {
  const containers = new Map<string, FakeContainer>()
  const requests: string[] = []
  const listeners = new Set<ServerResponse>()
  const answers = new Map<string, (response: ServerResponse, request: IncomingMessage) => void>()
  const { MinAPIVersion: oldest, ApiVersion: newest } = version as Partial<typeof VERSION>

  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://docker')
    const [, asked, path = pathname] = /^\/v(\d+\.\d+)(\/.*)$/.exec(pathname) ?? []
    requests.push(decodeURIComponent(request.url ?? ''))
    const own = answers.get(path)
    if (own !== undefined) return own(response, request)
    if (path === '/version') return json(response, version)
    if (asked !== undefined && (isBelow(asked, oldest) || isBelow(newest, asked))) {
      const message = isBelow(asked, oldest)
        ? `client version ${asked} is too old. Minimum supported API version is ${oldest}`
        : `client version ${asked} is too new. Maximum supported API version is ${newest}`
      return json(response, { message }, 400)
    }
    if (path === '/events') {
      listeners.add(response)
      response.on('close', () => listeners.delete(response))
      response.writeHead(200, { 'Content-Type': 'application/json' }).flushHeaders()
      return
    }
    if (path === '/containers/json') {
      const filters = JSON.parse(searchParams.get('filters') ?? '{}') as { id?: string[] }
      const { id } = filters
      const found = id?.flatMap((one) => containers.get(one) ?? []) ?? [...containers.values()]
      return json(response, found)
    }
    const id = /^\/containers\/([^/]+)\/json$/.exec(path)?.[1]
    if (id !== undefined && containers.has(id)) return json(response, inspect(id))
    json(response, { message: 'page not found' }, 404)
  })

  const emit: FakeDocker['emit'] = (event) => {
    const text = typeof event === 'string' ? event : `${JSON.stringify(event)}\n`
    for (const listener of listeners) listener.write(text)
  }
  const cut = (): void => server.closeAllConnections()

  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  owner.after(() => {
    cut()
    server.close()
  })
  return {
    endpoint: `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    containers,
    start(container) {
      containers.set(container.Id, container)
      emit(containerEvent('start', container.Id))
    },
    stop(id) {
      containers.delete(id)
      emit(containerEvent('die', id, { exitCode: '0' }))
    },
    emit,
    answer: (path, respond) => void answers.set(path, respond),
    cut,
  }
}

/** As `GET /events` sends it. */
export function containerEvent(
  action: string,
  id: string,
  attributes: Readonly<Record<string, string>> = {},
): object {
  return {
    ...{ status: action, id, Type: 'container', Action: action, scope: 'local' },
    Actor: { ID: id, Attributes: { image: 'web:1', ...attributes } },
    ...{ time: 1700000000, timeNano: 1700000000000000000 },
  }
}

/** A container in a bridge network, as the API reference shows it. `number` makes its id and address. */
export function fakeContainer(
  name: string,
  labels: Readonly<Record<string, string>>,
  more: Readonly<Record<string, unknown>> = {},
): FakeContainer {
  return {
    ...{
      Id: idOf(name),
      Names: [`/${name}`],
      Image: 'web:1',
      Command: 'serve',
      Created: 1_700_000_000,
    },
    ...{ State: 'running', Status: 'Up 5 minutes', Labels: labels },
    Ports: [{ PrivatePort: 8080, Type: 'tcp' }],
    HostConfig: { NetworkMode: 'shop_default' },
    NetworkSettings: {
      Networks: {
        shop_default: {
          ...{ IPAddress: '172.18.0.2', IPPrefixLen: 16, Gateway: '172.18.0.1' },
          ...{ GlobalIPv6Address: '', IPv6Gateway: '', MacAddress: '02:42:ac:12:00:02' },
        },
      },
    },
    Mounts: [],
    ...more,
  }
}

/** 64 hexadecimal digits that are the same for a name. */
export function idOf(name: string): string {
  return Buffer.from(name).toString('hex').padEnd(64, '0').slice(0, 64)
}

function isBelow(one: string | undefined, other: string | undefined): boolean {
  const number = (text = '0.0'): number =>
    Number(text.split('.')[0]) * 1000 + Number(text.split('.')[1])
  return number(one) < number(other)
}

function json(response: ServerResponse, value: unknown, status = 200): void {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(value))
}
