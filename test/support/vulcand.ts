/** The program `vulcand` as its users start it, and its API as vctl uses it. */
import { request } from 'node:http'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { choosePort } from './ports.ts'
import { makeFolder, spawnProgram, type Child } from './program.ts'
import { eventually } from './until.ts'

export interface Vulcand extends Child {
  /** Of the default listener. */
  readonly port: number
  readonly apiPort: number
  /** Of the API. The body is JSON. */
  api(method: string, path: string, body?: object, headers?: Sent): Promise<Reply>
  /** Of the default listener. */
  get(path: string, headers?: Sent): Promise<Reply>
  /** Throws what the API says of a refusal. */
  post(path: string, body: object): Promise<void>
}

export type Sent = Readonly<Record<string, string>>

export interface Reply {
  readonly status: number
  readonly headers: NodeJS.Dict<string | string[]>
  readonly text: string
}

const MAIN = fileURLToPath(new URL('../../src/vulcand.ts', import.meta.url))
/** A machine may run many tests at once. */
const START_WITHIN_MS = 120_000

/** Resolves when its API responds. `port` and `apiPort` of a program before it may be taken over. */
export async function startVulcand(
  t: TestContext,
  flags: readonly string[],
  ports?: Pick<Vulcand, 'port' | 'apiPort'>,
): Promise<Vulcand> {
  const { port, apiPort } = ports ?? { port: await choosePort(), apiPort: await choosePort() }
  const child = spawnVulcand(t, [
    ...[`-port=${port}`, `-apiPort=${apiPort}`, '-interface=127.0.0.1', '-apiInterface=127.0.0.1'],
    ...(flags.some((flag) => flag.startsWith('-data=')) ? [] : [`-data=${makeFolder(t)}`]),
    ...flags,
  ])
  const api: Vulcand['api'] = (method, path, body, headers = {}) =>
    exchange(apiPort, method, path, body === undefined ? '' : JSON.stringify(body), {
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      ...headers,
    })
  await eventually(
    async () => {
      child.failure()
      const status = await api('GET', '/v2/status').catch(() => null)
      return status?.status === 200
    },
    'the API responds',
    START_WITHIN_MS,
  ).catch((error: unknown) => {
    throw new Error(`the program does not serve: ${child.output()}`, { cause: error })
  })
  return {
    ...child,
    ...{ port, apiPort, api },
    get: (path, headers) => exchange(port, 'GET', path, '', headers),
    async post(path, body) {
      const { status, text } = await api('POST', path, body)
      if (status !== 200) throw new Error(`${path}: ${status} ${text}`)
    },
  }
}

export function spawnVulcand(t: TestContext, words: readonly string[], env: Sent = {}): Child {
  return spawnProgram(t, words, env, [process.execPath, MAIN])
}

/** As vctl does: a backend with servers, and a frontend to it. */
export async function declare(
  { post }: Vulcand,
  id: string,
  route: string,
  urls: readonly string[],
  settings: object = {},
): Promise<void> {
  await post('/v2/backends', { Backend: { Id: id, Type: 'http' } })
  for (const [at, URL] of urls.entries()) {
    await post(`/v2/backends/${id}/servers`, { Server: { Id: `s${at + 1}`, URL } })
  }
  const frontend = { Id: id, Type: 'http', BackendId: id, Route: route, Settings: settings }
  await post('/v2/frontends', { Frontend: frontend })
}

export function exchange(
  port: number,
  method: string,
  path: string,
  body = '',
  headers: Sent = {},
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const options = { port, host: '127.0.0.1', method, path, headers, agent: false }
    const outgoing = request(options, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (piece: string) => (text += piece))
      response.once('error', reject)
      response.once('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
      )
    })
    outgoing.once('error', reject)
    outgoing.end(body)
  })
}
