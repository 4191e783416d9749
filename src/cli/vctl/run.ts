/** Runs what vctl does: requests to the API, then a table, a line, or JSON. */
import type { Client } from '../../client/client.ts'
import { pathOf } from '../../client/client.ts'
import { escapeControls, isMap, type JsonMap } from '../../model/parsed.ts'
import { reasonOf } from '../admin-client.ts'
import type { VctlCall, VctlCommand, VctlKind, VctlName } from './command.ts'
import { toTable } from './tables.ts'

export interface VctlWorld {
  readonly client: Pick<Client, 'request'>
  readonly readFile: (path: string) => string
  /** To standard output, as it is. */
  readonly write: (text: string) => void
  /** A line to standard error. */
  readonly complain: (line: string) => void
  readonly isColored: boolean
  /** Of standard error. */
  readonly isErrorColored: boolean
}

/** Their paths, their wrappers, and the parts that `show` prints with them. */
const KINDS: Readonly<
  Record<
    VctlKind,
    { readonly path: string; readonly wrapper: string; readonly parts: VctlKind | null }
  >
> = {
  host: { path: 'hosts', wrapper: 'Host', parts: null },
  listener: { path: 'listeners', wrapper: 'Listener', parts: null },
  backend: { path: 'backends', wrapper: 'Backend', parts: 'server' },
  server: { path: 'servers', wrapper: 'Server', parts: null },
  frontend: { path: 'frontends', wrapper: 'Frontend', parts: 'middleware' },
  middleware: { path: 'middlewares', wrapper: 'Middleware', parts: null },
}

/** Returns the exit code: 0, or 1 after printing the reason. */
export async function runVctl({ call, isJson }: VctlCommand, world: VctlWorld): Promise<0 | 1> {
  try {
    const { body, text } = await answerOf(call, world)
    world.write(isJson ? `${toGoJson(body)}\n` : text)
    return 0
  } catch (error) {
    world.complain(paint(world.isErrorColored, 31, `ERROR: ${reasonOf(error)}`))
    return 1
  }
}

interface Answer {
  readonly body: unknown
  readonly text: string
}

async function answerOf(call: VctlCall, world: VctlWorld): Promise<Answer> {
  const { client } = world
  const ok = (body: unknown, what: string): Answer => ({
    body,
    text: `${paint(world.isColored, 32, `OK: ${escapeControls(what)}`)}\n`,
  })
  switch (call.verb) {
    case 'ls':
      return list(call, client)
    case 'show':
      return show(call.name, client)
    case 'upsert': {
      const { kind, of, ttl, done } = call
      const { wrapper } = KINDS[kind]
      const object = withKeyPair(call, world)
      const { body } = await client.request({
        method: 'POST',
        path: pathOfKind(kind, of),
        body: { [wrapper]: object, ...(ttl === null ? {} : { TTL: ttl }) },
      })
      return ok(body, done)
    }
    case 'rm': {
      const { body } = await client.request({ method: 'DELETE', path: pathOfName(call.name) })
      return ok(body, call.done)
    }
    case 'set_severity': {
      const query = { severity: call.severity }
      const { body } = await client.request({ method: 'PUT', path: '/v2/log/severity', query })
      return ok(body, 'log severity updated')
    }
    case 'get_severity': {
      const { body } = await client.request({ method: 'GET', path: '/v2/log/severity' })
      return ok(body, `severity: ${isMap(body) ? String(body['severity']) : ''}`)
    }
    default:
      return call satisfies never
  }
}

async function list(
  { kind, of, type }: Extract<VctlCall, { verb: 'ls' }>,
  client: VctlWorld['client'],
): Promise<Answer> {
  const name = `${KINDS[kind].wrapper}s`
  const { body } = await client.request({ method: 'GET', path: pathOfKind(kind, of) })
  const objects = listIn(body, name).filter((one) => type === null || one['Type'] === type)
  return { body: { [name]: objects }, text: toTable(kind, name, objects) }
}

async function show(name: VctlName, client: VctlWorld['client']): Promise<Answer> {
  const { wrapper, parts } = KINDS[name.kind]
  const { body } = await client.request({ method: 'GET', path: pathOfName(name) })
  if (!isMap(body)) throw new Error(`the API responds with what is no ${name.kind}`)
  // As vctl: the heading of one listener, or of one middleware, is that of a list.
  const title = ['listener', 'middleware'].includes(name.kind) ? `${wrapper}s` : wrapper
  const text = toTable(name.kind, title, [body])
  if (parts === null) return { body, text }
  const listed = await list({ verb: 'ls', kind: parts, of: name.id, type: null }, client)
  const all = { [wrapper]: body, ...(isMap(listed.body) ? listed.body : {}) }
  return { body: all, text: text + listed.text }
}

function pathOfKind(kind: VctlKind, of: string | null): string {
  const { path } = KINDS[kind]
  if (of === null) return pathOf('v2', path)
  return pathOf('v2', kind === 'server' ? 'backends' : 'frontends', of, path)
}

function pathOfName({ kind, of, id }: VctlName): string {
  return pathOfKind(kind, of) + pathOf(id)
}

function listIn(body: unknown, name: string): readonly JsonMap[] {
  const found = isMap(body) ? body[name] : undefined
  // vulcand writes null for an empty list.
  if (found === null) return []
  if (Array.isArray(found)) return found.filter(isMap)
  throw new Error(`the API responds without a list of ${name}`)
}

/** The host, with the contents of the files of its key pair. */
function withKeyPair(
  { object, keyPair }: Extract<VctlCall, { verb: 'upsert' }>,
  { readFile }: VctlWorld,
): JsonMap {
  if (keyPair === null) return object
  const encode = (path: string): string => Buffer.from(readFile(path)).toString('base64')
  const settings = isMap(object['Settings']) ? object['Settings'] : {}
  const pair = { Key: encode(keyPair.key), Cert: encode(keyPair.cert) }
  return { ...object, Settings: { ...settings, KeyPair: pair } }
}

function paint(isColored: boolean, color: number, text: string): string {
  return isColored ? `\x1b[${color}m${text}\x1b[0m` : text
}

/** As Go writes it, with what a terminal would obey escaped. */
function toGoJson(value: unknown): string {
  const html = (char: string): string => `\\u00${char.charCodeAt(0).toString(16)}`
  return escapeControls(JSON.stringify(value).replace(/[<>&]/g, html))
}
