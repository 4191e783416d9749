/**
 * The labels of marathon-lb: `HAPROXY_0_VHOST` is of the port with index 0, `HAPROXY_GROUP` of the whole app. Most of them put
 * text into the configuration of an HAProxy. What cannot be done here is a remark, and closes the route where it may guard it.
 */
import { isIP } from 'node:net'
import { parseHost } from '../../model/address.ts'
import { quote } from '../../model/parsed.ts'
import { didYouMean } from '../../model/suggest.ts'
import { splitList } from '../../model/units.ts'

/** Of one port. */
export interface PortLabels {
  readonly isEnabled: boolean
  /** Null: as the app. */
  readonly groups: readonly string[] | null
  readonly hosts: readonly string[]
  /** Of `path_beg`, as written; null: every path. */
  readonly paths: { readonly prefixes: readonly string[]; readonly ignoreCase: boolean } | null
  readonly isSticky: boolean
  readonly redirectsToHttps: boolean
  readonly usesHsts: boolean
  /** Instead of the service port. */
  readonly port: number | null
  /** As written, lower case. */
  readonly mode: string | null
  readonly balance: string | null
  /** The order of routes, larger first. */
  readonly weight: number | null
  /** Blocks of addresses; others get 403. */
  readonly allowed: readonly string[] | null
  /** Where requests for `/` are sent. */
  readonly rootRedirect: string | null
  readonly healthPortIndex: number | null
  readonly remarks: readonly string[]
  /** Why the port has no route: a guard that Sluice does not have. */
  readonly closed: readonly string[]
  /** Labels that a listener for the service port would have to honour. */
  readonly bind: readonly string[]
}

export interface AppLabels {
  readonly groups: readonly string[]
  /** With or without labels, as many as the app has. */
  readonly ports: readonly PortLabels[]
  /** Labels of no port and labels that are not known. */
  readonly remarks: readonly string[]
}

const OF_PORT = /^HAPROXY_(\d{1,4})_(.+)$/
const PREFIX = 'HAPROXY_'

/** Read here or in blue-green.ts, or of no effect on traffic. */
const OF_APP = ['GROUP', 'APP_ID']
const DEPLOYMENT = 'DEPLOYMENT_'
const OPTIONS = [
  ...['VHOST', 'GROUP', 'PATH', 'STICKY', 'ENABLED', 'REDIRECT_TO_HTTPS', 'USE_HSTS', 'SSL_CERT'],
  ...['BIND_OPTIONS', 'BIND_ADDR', 'PORT', 'MODE', 'BALANCE', 'AUTH', 'BACKEND_WEIGHT'],
  ...['BACKEND_NETWORK_ALLOWED_ACL', 'BACKEND_HEALTHCHECK_PORT_INDEX', 'HTTP_BACKEND_REDIR'],
  ...['HTTP_BACKEND_PROXYPASS_PATH', 'HTTP_BACKEND_REVPROXY_PATH'],
]
/** Text for the configuration of HAProxy. */
const TEMPLATES = [
  ...['FRONTEND_HEAD', 'USERLIST_HEAD', 'BACKEND_HEAD', 'BACKEND_REDIRECT_HTTP_TO_HTTPS'],
  ...['BACKEND_REDIRECT_HTTP_TO_HTTPS_WITH_PATH', 'BACKEND_HTTP_OPTIONS', 'BACKEND_HSTS_OPTIONS'],
  ...['BACKEND_HTTP_HEALTHCHECK_OPTIONS', 'BACKEND_TCP_HEALTHCHECK_OPTIONS'],
  ...['BACKEND_STICKY_OPTIONS', 'BACKEND_SERVER_OPTIONS', 'FRONTEND_BACKEND_GLUE'],
  ...['BACKEND_SERVER_TCP_HEALTHCHECK_OPTIONS', 'BACKEND_SERVER_HTTP_HEALTHCHECK_OPTIONS'],
  ...['HTTP_BACKEND_PROXYPASS_GLUE', 'HTTP_BACKEND_REVPROXY_GLUE', 'HTTP_FRONTEND_ACL'],
  ...['HTTP_BACKEND_NETWORK_ALLOWED_ACL', 'TCP_BACKEND_NETWORK_ALLOWED_ACL'],
]
/** Templates that say which requests a route takes: one that is replaced may take fewer. */
const ROUTING = /FRONTEND_(?:ACL|ROUTING|APPID|BACKEND_GLUE)|ALLOWED_ACL|USERLIST/
/** Words of HAProxy's configuration that refuse requests. */
const REFUSING = /\b(?:deny|reject|tarpit|block|silent-drop|auth|http_auth|use_backend|verify)\b/i

export function readHaproxyLabels(
  labels: ReadonlyMap<string, string>,
  portCount: number,
): AppLabels {
  const remarks: string[] = []
  const byPort = Array.from({ length: portCount }, () => new Map<string, string>())
  for (const [label, text] of labels) {
    if (!label.startsWith(PREFIX)) continue
    const [, index, name = ''] = OF_PORT.exec(label) ?? []
    if (index === undefined) remarks.push(...remarkOfApp(label.slice(PREFIX.length)))
    else if (byPort[Number(index)] === undefined)
      remarks.push(`${quote(label)} is of no port: it has ${count(portCount)}`)
    else byPort[Number(index)]?.set(name, text)
  }
  return {
    groups: splitList(labels.get('HAPROXY_GROUP') ?? ''),
    ports: byPort.map((one, index) => readPort(one, `${PREFIX}${index}_`)),
    remarks,
  }
}

function count(ports: number): string {
  return ports === 1 ? '1 port' : `${ports} ports`
}

function remarkOfApp(name: string): readonly string[] {
  if (OF_APP.includes(name) || name.startsWith(DEPLOYMENT)) return []
  return [`${quote(PREFIX + name)} is not known${didYouMean(name, OF_APP)}`]
}

/** The labels of one port, by their names without the prefix, and what is to be said about them. */
class LabelReader {
  readonly remarks: string[] = []
  readonly closed: string[] = []
  readonly labels: ReadonlyMap<string, string>
  readonly #prefix: string

  constructor(labels: ReadonlyMap<string, string>, prefix: string) {
    this.labels = labels
    this.#prefix = prefix
  }

  remark(name: string, message: string): void {
    this.remarks.push(`${this.#prefix}${name}: ${message}`)
  }

  close(name: string, message: string): void {
    this.closed.push(`${this.#prefix}${name}: ${message}`)
  }

  text(name: string): string | null {
    return this.labels.get(name)?.trim() ?? null
  }

  flag(name: string): boolean {
    const text = this.text(name)
    if (text === null) return false
    const isOn = ['true', 't', 'yes', 'y'].includes(text.toLowerCase())
    const isOff = ['false', 'f', 'no', 'n', ''].includes(text.toLowerCase())
    if (!isOn && !isOff) this.remark(name, `${quote(text)} is not true, so it counts as false`)
    return isOn
  }

  whole(name: string, least: number, most: number): number | null {
    const text = this.text(name)
    if (text === null) return null
    const number = /^-?\d{1,10}$/.test(text) ? Number(text) : NaN
    if (number >= least && number <= most) return number
    this.remark(name, `must be a whole number from ${least} to ${most}, not ${quote(text)}`)
    return null
  }
}

function readPort(labels: ReadonlyMap<string, string>, prefix: string): PortLabels {
  const reader = new LabelReader(labels, prefix)
  const groups = reader.text('GROUP')
  remarkTemplates(reader)
  remarkOptions(reader)
  return {
    isEnabled: reader.text('ENABLED') === null || reader.flag('ENABLED'),
    groups: groups === null ? null : splitList(groups),
    hosts: readHosts(reader),
    paths: readPaths(reader),
    isSticky: reader.flag('STICKY'),
    redirectsToHttps: reader.flag('REDIRECT_TO_HTTPS'),
    usesHsts: reader.flag('USE_HSTS'),
    port: reader.whole('PORT', 1, 65_535),
    mode: reader.text('MODE')?.toLowerCase() ?? null,
    balance: reader.text('BALANCE'),
    weight: reader.whole('BACKEND_WEIGHT', -1e9, 1e9),
    allowed: readAllowed(reader),
    rootRedirect: reader.text('HTTP_BACKEND_REDIR'),
    healthPortIndex: reader.whole('BACKEND_HEALTHCHECK_PORT_INDEX', 0, 9_999),
    remarks: reader.remarks,
    closed: reader.closed,
    bind: ['SSL_CERT', 'BIND_OPTIONS']
      .filter((name) => labels.has(name))
      .map((name) => prefix + name),
  }
}

function remarkTemplates(reader: LabelReader): void {
  for (const [name, text] of reader.labels) {
    if (OPTIONS.includes(name)) continue
    const isRouting = ROUTING.test(name)
    if (!TEMPLATES.includes(name) && !isRouting)
      reader.remark(name, `is not known${didYouMean(name, OPTIONS)}`)
    else if (isRouting || REFUSING.test(text))
      reader.close(name, 'text for HAProxy is not read, and it may refuse requests')
    else reader.remark(name, 'text for HAProxy is not read')
  }
}

/** Those that have no like here. */
function remarkOptions(reader: LabelReader): void {
  const { labels } = reader
  if (labels.has('AUTH')) reader.close('AUTH', 'passwords are not supported')
  if (labels.has('HTTP_BACKEND_PROXYPASS_PATH'))
    reader.close('HTTP_BACKEND_PROXYPASS_PATH', 'paths are forwarded as they are')
  if (labels.has('HTTP_BACKEND_REVPROXY_PATH'))
    reader.remark('HTTP_BACKEND_REVPROXY_PATH', 'headers of responses are forwarded as they are')
  for (const name of ['SSL_CERT', 'BIND_OPTIONS', 'BIND_ADDR']) {
    if (!labels.has(name)) continue
    reader.remark(name, 'is not honoured: a listener has its address and its certificates')
  }
}

/** One that is no host takes nothing from the others. */
function readHosts(reader: LabelReader): readonly string[] {
  const written = splitList(reader.text('VHOST') ?? '').map((host) => host.toLowerCase())
  return written.flatMap((host) => {
    const name = host.replace(/:\d{1,5}$/, '')
    if (!parseHost(name.replace(/^\*{1,2}\./, '')).ok) {
      reader.remark('VHOST', `${quote(host)} is not a host`)
      return []
    }
    if (name !== host) reader.remark('VHOST', `the port of ${quote(host)} is not compared`)
    return name
  })
}

function readPaths(reader: LabelReader): PortLabels['paths'] {
  const words = (reader.text('PATH') ?? '').split(/\s+/).filter((word) => word !== '')
  const flags = words.filter((word) => word.startsWith('-') && word !== '--')
  const prefixes = words.filter((word) => !word.startsWith('-'))
  const unknown = flags.find((word) => word !== '-i')
  const other = prefixes.find((prefix) => !/^\/[!-~]{0,1023}$/.test(prefix))
  if (unknown !== undefined) reader.close('PATH', `the flag ${quote(unknown)} is not supported`)
  if (other !== undefined) reader.close('PATH', `${quote(other)} is not the beginning of a path`)
  // Then it is not known which paths to close, so all of its host are.
  if (unknown !== undefined || other !== undefined || prefixes.length === 0) return null
  return { prefixes, ignoreCase: flags.includes('-i') }
}

function readAllowed(reader: LabelReader): readonly string[] | null {
  const text = reader.text('BACKEND_NETWORK_ALLOWED_ACL')
  if (text === null) return null
  const blocks = text.split(/[\s,]+/).filter((word) => word !== '')
  const other = blocks.find((block) => !isBlock(block))
  if (blocks.length === 0 || other !== undefined)
    reader.close('BACKEND_NETWORK_ALLOWED_ACL', `${quote(other ?? text)} is no block of addresses`)
  return blocks
}

function isBlock(text: string): boolean {
  const [address = '', bits, ...more] = text.split('/')
  const version = isIP(address)
  if (version === 0 || more.length > 0) return false
  return (
    bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128))
  )
}
