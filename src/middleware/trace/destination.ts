/**
 * Where traces go: `stdout`, or in vulcand's notation `syslog://127.0.0.1:514?f=MAIL&sev=INFO&prefix=...` (UDP),
 * `syslog:///run/log.sock` (a stream socket), and `syslog://`, the syslog of this machine at its UDP port.
 */
import { parseAddress } from '../../model/address.ts'
import { quote } from '../../model/parsed.ts'

export type Destination =
  | { readonly to: 'stdout' }
  | ({ readonly to: 'udp'; readonly host: string; readonly port: number } & SyslogForm)
  | ({ readonly to: 'socket'; readonly path: string } & SyslogForm)

export interface SyslogForm {
  /** Facility and severity, RFC 3164 section 4.1.1. */
  readonly priority: number
  /** Before the JSON. */
  readonly prefix: string
}

const FACILITIES = [
  ...['KERN', 'USER', 'MAIL', 'DAEMON', 'AUTH', 'SYSLOG', 'LPR', 'NEWS', 'UUCP', 'CRON'],
  ...['AUTHPRIV', 'FTP', '', '', '', ''],
  ...['LOCAL0', 'LOCAL1', 'LOCAL2', 'LOCAL3', 'LOCAL4', 'LOCAL5', 'LOCAL6', 'LOCAL7'],
]
const SEVERITIES = ['EMERG', 'ALERT', 'CRIT', 'ERR', 'WARNING', 'NOTICE', 'INFO', 'DEBUG']
const PARAMETERS = ['f', 'sev', 'prefix']

const SYSLOG = /^syslog:\/\/([^/?#]*)(\/[^?#]*)?(?:\?([^#]*))?$/
const LOCAL = '127.0.0.1:514'
const DEFAULT_PORT = 514
/** Of a path in a socket address. */
const MOST_PATH_BYTES = 107
const PRINTABLE = /^[ -~]*$/

/** A string: why it is none. */
export function parseDestination(text: string): Destination | string {
  if (text === 'stdout') return { to: 'stdout' }
  const [whole, authority = '', path = '', query = ''] = SYSLOG.exec(text) ?? []
  if (whole === undefined) return 'must be stdout, syslog://HOST:PORT, syslog:///PATH or syslog://'
  const form = readForm(new URLSearchParams(query))
  if (typeof form === 'string') return form
  if (authority === '' && path !== '') {
    return Buffer.byteLength(path) > MOST_PATH_BYTES || !PRINTABLE.test(path)
      ? `has a path of a socket that is not 1 to ${MOST_PATH_BYTES} printable characters long`
      : { to: 'socket', path, ...form }
  }
  if (path !== '' && path !== '/') return 'has a path behind a host'
  const address = parseAddress(withPort(authority === '' ? LOCAL : authority))
  if (!address.ok) return `has no valid host and port: ${address.reason}`
  const { host, port } = address.value
  if (host === '' || port === 0) return 'needs a host and a port'
  return { to: 'udp', host, port, ...form }
}

function withPort(authority: string): string {
  return /:\d+$/.test(authority) ? authority : `${authority}:${DEFAULT_PORT}`
}

function readForm(parameters: URLSearchParams): SyslogForm | string {
  for (const name of parameters.keys())
    if (!PARAMETERS.includes(name))
      return `has the unknown parameter "${name}"; there are ${PARAMETERS.join(', ')}`
  const facility = (parameters.get('f') ?? 'LOCAL0').toUpperCase()
  const severity = (parameters.get('sev') ?? 'DEBUG').toUpperCase()
  const prefix = parameters.get('prefix') ?? '@cee: '
  if (facility === '' || !FACILITIES.includes(facility)) {
    const known = FACILITIES.filter((name) => name !== '').join(', ')
    return `has the unknown facility f=${quote(facility)}; there are ${known}`
  }
  if (!SEVERITIES.includes(severity))
    return `has the unknown severity sev=${quote(severity)}; there are ${SEVERITIES.join(', ')}`
  if (prefix.length > 128 || !PRINTABLE.test(prefix))
    return 'has a prefix that is not at most 128 printable ASCII characters'
  return {
    priority: FACILITIES.indexOf(facility) * 8 + SEVERITIES.indexOf(severity),
    prefix,
  }
}
