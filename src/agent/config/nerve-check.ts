/** The checks of nerve: their keys, defaults and results. Times are in seconds. */
import { quote } from '../../model/parsed.ts'
import type { TlsToServers } from '../../model/snapshot.ts'
import type { Form } from '../../providers/synapse/form.ts'
import type { CheckSpec, How } from '../spec/agent-spec.ts'
import { nameOf, parseCommand } from './check-form.ts'
import { parseCount, parseHostText, parsePort, parseSeconds, parseUri } from './nerve-values.ts'
import { probeTarget } from './probe-target.ts'

const COMMON = ['type', 'name', 'host', 'port', 'timeout', 'rise', 'fall']
/** By type, its own keys. */
const KEYS: Readonly<Record<string, readonly string[]>> = {
  http: ['uri', 'ssl', 'headers', 'expect', 'read_timeout', 'open_timeout', 'ssl_timeout'],
  tcp: [],
  redis: [],
  rabbitmq: ['username', 'password'],
  exec: ['command', 'arguments'],
  noop: [],
}
const HELP = { module: 'has no effect: checks of other gems are not loaded; write an exec check' }

const TIMEOUT_S = 0.1
const OPEN_S = 0.2
const RABBITMQ_QUEUE = 'nerve'

/** nerve does not verify certificates. */
const TLS: TlsToServers = {
  ...{ verify: false, ca: null, serverName: null, ciphers: null, tickets: true },
  ...{ minVersion: 'TLSv1.2', maxVersion: 'TLSv1.3' },
}

/** Of the service that is checked. */
export interface NerveService {
  readonly host: string
  readonly port: number
  readonly intervalMs: number
}

/** Null after an error. */
export function readNerveCheck(form: Form, service: NerveService): CheckSpec | null {
  const type = form.text('type') ?? 'undefined'
  const own = Object.hasOwn(KEYS, type) ? KEYS[type] : undefined
  if (own === undefined) {
    const list = Object.keys(KEYS).join(', ')
    const help =
      form.value['module'] === undefined
        ? ''
        : '; checks of other gems are not loaded, write an exec check'
    form.note('error', `must be one of ${list}, not ${quote(type)}${help}`, 'type')
    return null
  }
  form.known([...COMMON, ...own], HELP)
  const timeoutS = form.read('timeout', parseSeconds) ?? TIMEOUT_S
  const how = readHow(type, form, service)
  if (how === null) return null
  return {
    name: form.text('name') ?? nameOf(how),
    intervalMs: service.intervalMs,
    timeoutMs: Math.ceil(1000 * (type === 'http' ? httpSeconds(form, timeoutS) : timeoutS)),
    rise: form.read('rise', parseCount) ?? 1,
    fall: form.read('fall', parseCount) ?? 1,
    how,
  }
}

function readHow(type: string, form: Form, service: NerveService): How | null {
  const host = form.read('host', parseHostText) ?? service.host
  const port = form.read('port', parsePort) ?? service.port
  switch (type) {
    case 'http':
      return readHttp(form, host, port)
    case 'tcp': {
      const target = { scheme: 'tcp', http: null, grpc: null, tls: TLS, wire: 'http/1.1' } as const
      return { kind: 'probe', target: probeTarget({ ...target, host, port }) }
    }
    case 'redis':
      return { kind: 'redis', host, port, username: null, password: null, tls: null }
    case 'rabbitmq': {
      const username = form.text('username') ?? 'guest'
      const password = form.text('password') ?? 'guest'
      const queue = RABBITMQ_QUEUE
      return { kind: 'rabbitmq', host, port, username, password, vhost: '/', queue }
    }
    case 'exec': {
      if (form.value['command'] === undefined) form.note('error', 'is missing', 'command')
      const words = form.texts('arguments')
      const parsed = form.read('command', (value) =>
        parseCommand(words.length === 0 ? value : [value, ...words]),
      )
      if (parsed === null) return null
      const [command = '', ...args] = parsed
      return { kind: 'exec', command, args }
    }
    default:
      return { kind: 'noop' }
  }
}

/** 200 to 399 passes, with the text of `expect` anywhere in the body. */
function readHttp(form: Form, host: string, port: number): How | null {
  const path = form.read('uri', parseUri)
  if (path === null) {
    if (form.value['uri'] === undefined) form.note('error', 'is missing', 'uri')
    return null
  }
  const expect = form.text('expect')
  const headers = form.map('headers')
  const http = {
    ...{ isDeclared: true, method: 'GET', path, host: null },
    headers: Object.fromEntries(
      Object.keys(headers?.value ?? {}).map((name) => [name, headers?.text(name) ?? '']),
    ),
    statuses: [[200, 399] as const],
    body: expect === null ? null : toPattern(expect),
  }
  const scheme = form.flag('ssl', false) ? 'https' : 'http'
  const spec = { scheme, host, port, http, grpc: null, tls: TLS, wire: 'http/1.1' } as const
  return { kind: 'probe', target: probeTarget(spec) }
}

/** The check as a whole may take what nerve allows its parts. */
function httpSeconds(form: Form, timeoutS: number): number {
  const open = form.read('open_timeout', parseSeconds) ?? OPEN_S
  const ssl = form.read('ssl_timeout', parseSeconds) ?? OPEN_S
  const read = form.read('read_timeout', parseSeconds) ?? timeoutS
  return open + (form.value['ssl'] === true ? ssl : 0) + read
}

/** The regular expression that stands for the text itself. */
function toPattern(text: string): string {
  return text.replace(/[\\.+*?()|[\]{}^$]/g, '\\$&')
}
