/**
 * A FAKE of Marathon for tests, because no real one can be had. Written from the published documentation of its REST API
 * and event bus (docs/docs/event-bus.md, rest-api, networking.md, changelog.md of mesosphere/marathon 1.11), from what its
 * clients rely on (marathon-lb 1.15, Traefik 2.11), and these of its quirks:
 *
 * - Lines of the event stream end in CRLF, and a lone CRLF is sent between events to keep the connection alive (Jetty).
 * - One event may carry several JSON documents (`joined`); before 1.3.7 `event_type` is ignored, and before 1.7 deployment
 *   events hold both whole groups.
 * - The leader closes all streams when it resigns. A standby redirects `/v2/events` to the leader from 1.7 on (302), and
 *   proxied it before; it proxies all else. While there is no leader it responds with 502. A gateway in front may redirect
 *   everything (307).
 * - Changing an app that has a deployment is refused with 409, unless `force=true`.
 *
 * From memory and not checked: the texts of 401, 403 and 409; that a new stream begins with `event_stream_attached` of its own.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Owner } from './daemon.ts'
import { createTask, type Json, type TaskForm } from './marathon-apps.ts'

export interface FakeMarathonOptions {
  /** Marathons of one cluster; the first is the leader. */
  readonly nodes?: number
  /** What a standby does: `events` redirects only the event stream. */
  readonly standby?: 'events' | 'proxy' | 'all'
  /** The Authorization header that requests must have. */
  readonly authorization?: string
  /** `1.3.6` ignores event_type; below 1.7 deployment events are heavy. */
  readonly version?: string
}

type Override = (request: IncomingMessage, response: ServerResponse) => void

export interface FakeMarathon {
  /** `host:port` of each node. */
  readonly endpoints: readonly string[]
  /** Paths of the requests so far, each with its node: `0 /v2/apps?embed=apps.tasks`. */
  readonly requests: string[]
  /** Values of Authorization that node saw. */
  readonly credentials: readonly (string | undefined)[][]
  apps(): readonly Json[]
  /** Creates or replaces an app, with the events of a deployment. */
  put(app: Json): void
  remove(id: string): void
  /** Changes members of a task, or adds it, with the events that belong to its state and health. */
  task(appId: string, form: TaskForm): void
  removeTask(appId: string, taskId: string): void
  /** Changes the state without any event. */
  quietly(change: () => void): void
  /** The next events share one SSE event, their documents separated by CRLF. */
  joined(change: () => void): void
  /** Sends an event of this type with this text as data. */
  emit(type: string, data: string): void
  /** Raw text on every open stream. */
  send(text: string): void
  keepAlive(): void
  streams(): number
  cutStreams(): void
  /** The streams of the old leader end. Null: no node leads. */
  lead(node: number | null): void
  leader(): number | null
  /** Responds instead of the node for paths that begin so; null: as before. */
  override(prefix: string, respond: Override | null): void
  wipe(): void
  stop(node?: number): Promise<void>
  start(node?: number): Promise<void>
}

export async function startFakeMarathon(
  owner: Owner,
  options: FakeMarathonOptions = {},
): Promise<FakeMarathon> {
  const { nodes: size = 1, standby = 'events', authorization, version = '1.11.24' } = options
  const isAtLeast = (minimum: string): boolean =>
    version.localeCompare(minimum, 'en', { numeric: true }) >= 0
  const apps = new Map<string, Json>()
  const overrides = new Map<string, Override>()
  const streams = new Map<ServerResponse, { node: number; types: readonly string[] }>()
  const requests: string[] = []
  const credentials: (string | undefined)[][] = Array.from({ length: size }, () => [])
  let leader: number | null = 0
  let isQuiet = false
  let join: string[] | null = null

  const servers = Array.from({ length: size }, (_, node) =>
    createServer((request, response) => answer(node, request, response)),
  )
  const ports = await Promise.all(servers.map((server) => listen(server, 0)))

  function answer(node: number, request: IncomingMessage, response: ServerResponse): void {
    const { url = '/', headers } = request
    requests.push(`${node} ${url}`)
    credentials[node]?.push(headers.authorization)
    for (const [prefix, respond] of overrides) {
      if (url.startsWith(prefix)) return respond(request, response)
    }
    if (url === '/ping') return sendText(response, 200, 'pong')
    const isEvents = url.startsWith('/v2/events')
    if (node !== leader) {
      if (leader === null) return sendText(response, 502, 'Could not determine the current leader')
      if (standby === 'all' || (standby === 'events' && isEvents)) {
        const location = `http://127.0.0.1:${ports[leader] ?? 0}${url}`
        response.writeHead(isEvents && standby === 'events' ? 302 : 307, { location })
        return void response.end()
      }
    }
    if (authorization !== undefined && headers.authorization !== authorization) {
      const isNone = headers.authorization === undefined
      if (isNone) response.setHeader('WWW-Authenticate', 'Basic realm="Mesosphere"')
      const message = isNone ? 'Authentication required' : 'Not Authorized to perform this action!'
      return sendJson(response, isNone ? 401 : 403, { message })
    }
    response.setHeader('X-Marathon-Leader', `http://127.0.0.1:${ports[leader ?? 0] ?? 0}`)
    if (isEvents) return openStream(node, new URL(url, 'http://fake'), request, response)
    void answerApi(request, response).catch((error: unknown) => response.destroy(error as Error))
  }

  async function answerApi(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://fake')
    const { pathname } = url
    if (pathname === '/v2/info') return sendJson(response, 200, { name: 'marathon', version })
    if (pathname === '/v2/leader') {
      return leader === null
        ? sendJson(response, 404, { message: 'There is no leader' })
        : sendJson(response, 200, { leader: `127.0.0.1:${ports[leader] ?? 0}` })
    }
    if (pathname === '/v2/deployments') return sendJson(response, 200, [])
    if (pathname === '/v2/tasks') {
      return request.headers.accept === 'text/plain'
        ? sendText(response, 200, toEndpoints(apps.values()))
        : sendJson(response, 200, { tasks: [...apps.values()].flatMap((app) => app['tasks']) })
    }
    if (pathname === '/v2/apps') {
      const embed = url.searchParams.getAll('embed')
      const list = [...apps.values()].map((app) => embedded(app, embed))
      return sendJson(response, 200, { apps: list })
    }
    const match = /^\/v2\/apps\/(\/?.+?)(\/tasks)?$/.exec(pathname)
    const id = `/${(match?.[1] ?? '').replace(/^\//, '')}`
    const app = apps.get(id)
    if (app === undefined) {
      return sendJson(response, 404, { message: `App '${id}' does not exist` })
    }
    if (request.method === 'PUT') return change(app, url, await readBody(request), response)
    return match?.[2] === undefined
      ? sendJson(response, 200, { app })
      : sendJson(response, 200, { tasks: app['tasks'] })
  }

  function change(app: Json, url: URL, body: string, response: ServerResponse): void {
    const isLocked = (app['deployments'] as unknown[]).length > 0
    if (isLocked && url.searchParams.get('force') !== 'true') {
      const message =
        'App is locked by one or more deployments. Override with the option ?force=true.'
      return sendJson(response, 409, { message, deployments: app['deployments'] })
    }
    Object.assign(app, JSON.parse(body))
    publish('api_post_event', { clientIp: '127.0.0.1', uri: url.pathname, appDefinition: app })
    sendJson(response, 200, { version: app['version'], deploymentId: '867ed450' })
  }

  function openStream(
    node: number,
    url: URL,
    request: IncomingMessage,
    response: ServerResponse,
  ): void {
    if (request.headers.accept !== 'text/event-stream') {
      return sendText(response, 405, 'HTTP method GET is not supported by this URL')
    }
    response.writeHead(200, { 'content-type': 'text/event-stream;charset=utf-8' })
    response.flushHeaders()
    const types = isAtLeast('1.3.7') ? url.searchParams.getAll('event_type') : []
    streams.set(response, { node, types })
    response.on('close', () => streams.delete(response))
    publish('event_stream_attached', { remoteAddress: '127.0.0.1' })
  }

  function publish(type: string, members: Json): void {
    if (isQuiet) return
    const data = JSON.stringify({
      eventType: type,
      timestamp: new Date().toISOString(),
      ...members,
    })
    if (join === null) emit(type, data)
    else join.push(data)
  }

  function emit(type: string, data: string): void {
    for (const [stream, { types }] of streams) {
      if (types.length > 0 && !types.includes(type)) continue
      const lines = data.split('\r\n').map((line) => `data: ${line}\r\n`)
      stream.write(`event: ${type}\r\n${lines.join('')}\r\n`)
    }
  }

  function deploy(app: Json): void {
    const steps = [{ actions: [{ action: 'StartApplication', app: app['id'] }] }]
    const group = isAtLeast('1.7') ? {} : { original: groups(), target: groups() }
    const plan = {
      id: '867ed450-f6a8-4d33-9b0e-e11c5513990b',
      version: app['version'],
      steps,
      ...group,
    }
    publish('deployment_info', { plan, currentStep: steps[0] })
    publish('deployment_step_success', { plan, currentStep: steps[0] })
    publish('deployment_success', { id: plan.id, plan })
  }

  function groups(): Json {
    return { id: '/', apps: [...apps.values()], groups: [], dependencies: [] }
  }

  function tasksOf(appId: string): Json[] {
    const app = apps.get(appId)
    if (app === undefined) throw new Error(`the fake has no app ${appId}`)
    return app['tasks'] as Json[]
  }

  function publishTask(task: Json, before: Json | undefined): void {
    const { id, appId, host, ports: taskPorts, version: at, state } = task
    if (before?.['state'] !== state) {
      const members = { slaveId: task['slaveId'], taskId: id, taskStatus: state, message: '' }
      publish('status_update_event', { ...members, appId, host, ports: taskPorts, version: at })
      const condition = String(state).replace(/^TASK_/, '')
      publish('instance_changed_event', { instanceId: id, condition, runSpecId: appId, host })
    }
    const [old, now] = [before, task].map((one) => JSON.stringify(one?.['healthCheckResults']))
    if (old === now) return
    const results = (task['healthCheckResults'] ?? []) as { alive: boolean }[]
    const alive = results.every((result) => result.alive)
    publish('health_status_changed_event', { appId, instanceId: id, version: at, alive })
  }

  function endStreams(
    isOf: (node: number) => boolean,
    end: (stream: ServerResponse) => void,
  ): void {
    for (const [stream, { node }] of streams) if (isOf(node)) end(stream)
  }

  async function stop(node = 0): Promise<void> {
    const server = servers[node]
    if (server?.listening !== true) return
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }

  owner.after(() => Promise.all(servers.map((_, node) => stop(node))))
  return {
    endpoints: ports.map((port) => `127.0.0.1:${port}`),
    requests,
    credentials,
    apps: () => [...apps.values()],
    put(app) {
      const before = apps.get(String(app['id']))
      apps.set(String(app['id']), app)
      publish('api_post_event', {
        clientIp: '127.0.0.1',
        uri: `/v2/apps${String(app['id'])}`,
        appDefinition: app,
      })
      for (const task of app['tasks'] as Json[]) {
        const old = (before?.['tasks'] as Json[] | undefined)?.find(({ id }) => id === task['id'])
        publishTask(task, old)
      }
      deploy(app)
    },
    remove(id) {
      const app = apps.get(id)
      if (app === undefined) return
      apps.delete(id)
      publish('app_terminated_event', { appId: id })
      deploy(app)
    },
    task(appId, form) {
      const tasks = tasksOf(appId)
      const at = tasks.findIndex(({ id }) => id === form.id)
      const before = at === -1 ? undefined : tasks[at]
      const made = createTask(appId, form)
      const given = Object.keys(form).flatMap((key) =>
        key === 'alive' ? 'healthCheckResults' : key,
      )
      const members = Object.entries(made).filter(([key]) => given.includes(key))
      const task = before === undefined ? made : { ...before, ...Object.fromEntries(members) }
      tasks.splice(at === -1 ? tasks.length : at, 1, task)
      publishTask(task, before)
    },
    removeTask(appId, taskId) {
      const tasks = tasksOf(appId)
      const at = tasks.findIndex(({ id }) => id === taskId)
      const [gone] = at === -1 ? [] : tasks.splice(at, 1)
      if (gone !== undefined) publishTask({ ...gone, state: 'TASK_KILLED' }, gone)
    },
    quietly(change) {
      isQuiet = true
      change()
      isQuiet = false
    },
    joined(change) {
      join = []
      change()
      const data = join.join('\r\n')
      join = null
      emit('status_update_event', data)
    },
    emit,
    send: (text) => {
      for (const stream of streams.keys()) stream.write(text)
    },
    keepAlive: () => {
      for (const stream of streams.keys()) stream.write('\r\n')
    },
    streams: () => streams.size,
    cutStreams: () =>
      endStreams(
        () => true,
        (stream) => stream.destroy(),
      ),
    leader: () => leader,
    lead(node) {
      const old = leader
      leader = node
      if (old !== node)
        endStreams(
          (one) => one === old || standby === 'proxy',
          (stream) => stream.end(),
        )
    },
    override(prefix, respond) {
      if (respond === null) overrides.delete(prefix)
      else overrides.set(prefix, respond)
    },
    wipe: () => apps.clear(),
    stop,
    async start(node = 0) {
      const server = servers[node]
      if (server !== undefined && !server.listening) await listen(server, ports[node] ?? 0)
    },
  }
}

/** Without an `embed` the list has neither tasks nor deployments. */
function embedded(app: Json, embed: readonly string[]): Json {
  const { tasks, readiness, ...rest } = app
  return {
    ...rest,
    ...(embed.includes('apps.tasks') ? { tasks } : {}),
    ...(embed.includes('apps.readiness') && readiness !== undefined
      ? { readinessCheckResults: readiness }
      : {}),
  }
}

/** `GET /v2/tasks` with `Accept: text/plain`, as EndpointsHelper of Marathon 1.5 writes it: running tasks only. */
function toEndpoints(apps: Iterable<Json>): string {
  let text = ''
  for (const app of apps) {
    const name = String(app['id']).slice(1).replaceAll('/', '_')
    const running = (app['tasks'] as Json[]).filter(({ state }) => state === 'TASK_RUNNING')
    const servicePorts = servicePortsOf(app)
    if (servicePorts.length === 0) {
      text += `${name}\t \t${running.map(({ host }) => `${String(host)} `).join('')}\n`
    }
    for (const [index, port] of servicePorts.entries()) {
      const endpoints = running.map(
        (task) => `${String(task['host'])}:${(task['ports'] as number[])[index] ?? 0}\t`,
      )
      text += `${name}\t${port}\t${endpoints.join('')}\n`
    }
  }
  return text
}

function servicePortsOf(app: Json): readonly number[] {
  const definitions = (app['portDefinitions'] ?? []) as { port: number }[]
  const container = app['container'] as { portMappings?: { servicePort: number }[] } | null
  const mapped = container?.portMappings?.map(({ servicePort }) => servicePort) ?? []
  return mapped.length > 0 ? mapped : definitions.map(({ port }) => port)
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body))
}

function sendText(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { 'content-type': 'text/plain' })
  response.end(body)
}

async function readBody(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part as Buffer)
  return Buffer.concat(parts).toString()
}

async function listen(server: Server, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  return (server.address() as AddressInfo).port
}
