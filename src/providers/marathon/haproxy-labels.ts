/**
 * The labels of marathon-lb: `HAPROXY_0_VHOST` is of the port with index 0, `HAPROXY_GROUP` of the whole app. Most of them put
 * text into the configuration of an HAProxy. What cannot be done here is a remark, and closes the route where it may guard it.
 */
import { isIP } from 'node:net'
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

function readPort(labels: ReadonlyMap<string, string>, prefix: string): PortLabels {
  const remarks: string[] = []
  const closed: string[] = []
  const bind: string[] = []
  const get = (name: string): string | null => labels.get(name)?.trim() ?? null
  const remark = (name: string, message: string): void => {
    remarks.push(`${prefix}${name}: ${message}`)
  }
  const close = (name: string, message: string): void => {
    closed.push(`${prefix}${name}: ${message}`)
  }

  function flag(name: string): boolean {
    const text = get(name)
    if (text === null) return false
    const isOn = ['true', 't', 'yes', 'y'].includes(text.toLowerCase())
    const isOff = ['false', 'f', 'no', 'n', ''].includes(text.toLowerCase())
    if (!isOn && !isOff) remark(name, `${quote(text)} is not true, so it counts as false`)
    return isOn
  }

  function whole(name: string, least: number, most: number): number | null {
    const text = get(name)
    if (text === null) return null
    const number = /^-?\d{1,10}$/.test(text) ? Number(text) : NaN
    if (number >= least && number <= most) return number
    remark(name, `must be a whole number from ${least} to ${most}, not ${quote(text)}`)
    return null
  }

  function paths(): PortLabels['paths'] {
    const text = get('PATH')
    if (text === null || text === '') return null
    const words = text.split(/\s+/)
    const flags = words.filter((word) => word.startsWith('-') && word !== '--')
    const unknown = flags.find((word) => word !== '-i')
    if (unknown !== undefined) close('PATH', `the flag ${quote(unknown)} is not supported`)
    const prefixes = words.filter((word) => !word.startsWith('-'))
    const other = prefixes.find((prefix) => !/^\/[!-~]{0,1023}$/.test(prefix))
    if (other !== undefined) close('PATH', `${quote(other)} is not the beginning of a path`)
    // Then it is not known which paths to close, so all of its host are.
    if (unknown !== undefined || other !== undefined) return null
    return { prefixes, ignoreCase: flags.includes('-i') }
  }

  function hosts(): readonly string[] {
    const written = splitList(get('VHOST') ?? '').map((host) => host.toLowerCase())
    return written.flatMap((host) => {
      const [, name = ''] = /^([^:\s]{1,253})(?::\d{1,5})?$/.exec(host) ?? []
      if (name === '') remark('VHOST', `${quote(host)} is not a host`)
      else if (name !== host) remark('VHOST', `the port of ${quote(host)} is not compared`)
      return name === '' ? [] : [name]
    })
  }

  function allowed(): readonly string[] | null {
    const text = get('BACKEND_NETWORK_ALLOWED_ACL')
    if (text === null) return null
    const blocks = text.split(/[\s,]+/).filter((word) => word !== '')
    const other = blocks.find((block) => !isBlock(block))
    if (blocks.length === 0 || other !== undefined) {
      close('BACKEND_NETWORK_ALLOWED_ACL', `${quote(other ?? text)} is no block of addresses`)
    }
    return blocks
  }

  for (const [name, text] of labels) {
    if (OPTIONS.includes(name)) continue
    const isTemplate = TEMPLATES.includes(name) || ROUTING.test(name)
    if (!isTemplate) remark(name, `is not known${didYouMean(name, OPTIONS)}`)
    else if (ROUTING.test(name) || REFUSING.test(text))
      close(name, 'text for HAProxy is not read, and it may refuse requests')
    else remark(name, 'text for HAProxy is not read')
  }
  if (get('AUTH') !== null) close('AUTH', 'passwords are not supported')
  if (get('HTTP_BACKEND_PROXYPASS_PATH') !== null)
    close('HTTP_BACKEND_PROXYPASS_PATH', 'paths are forwarded as they are')
  if (get('HTTP_BACKEND_REVPROXY_PATH') !== null)
    remark('HTTP_BACKEND_REVPROXY_PATH', 'headers of responses are forwarded as they are')
  for (const name of ['SSL_CERT', 'BIND_OPTIONS', 'BIND_ADDR']) {
    if (get(name) === null) continue
    remark(name, 'is not honoured: a listener has its address and its certificates')
    if (name !== 'BIND_ADDR') bind.push(`${prefix}${name}`)
  }
  const groups = get('GROUP')
  return {
    isEnabled: get('ENABLED') === null || flag('ENABLED'),
    groups: groups === null ? null : splitList(groups),
    hosts: hosts(),
    paths: paths(),
    isSticky: flag('STICKY'),
    redirectsToHttps: flag('REDIRECT_TO_HTTPS'),
    usesHsts: flag('USE_HSTS'),
    port: whole('PORT', 1, 65_535),
    mode: get('MODE')?.toLowerCase() ?? null,
    balance: get('BALANCE'),
    weight: whole('BACKEND_WEIGHT', -1e9, 1e9),
    allowed: allowed(),
    rootRedirect: get('HTTP_BACKEND_REDIR'),
    healthPortIndex: whole('BACKEND_HEALTHCHECK_PORT_INDEX', 0, 9_999),
    remarks,
    closed,
    bind,
  }
}

function isBlock(text: string): boolean {
  const [address = '', bits, ...more] = text.split('/')
  const version = isIP(address)
  if (version === 0 || more.length > 0) return false
  return (
    bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128))
  )
}
