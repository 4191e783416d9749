/** What the options of a route's destinations mean for its frontend and its backend. */
import { isIP } from 'node:net'
import { quote } from '../../../model/parsed.ts'
import { routeCall } from '../../route-terms.ts'
import { TranslationError } from '../translation.ts'
import type { Destination, Route } from './table.ts'

export interface RouteSettings {
  readonly passHost: boolean
  /** Certificates of its https servers are verified. */
  readonly verify: boolean
  /** What is to be added to the route; '' if all clients are allowed. */
  readonly clients: string
  /** Instead of servers. */
  readonly redirect: RedirectTo | null
  readonly remarks: readonly string[]
}

export interface RedirectTo {
  readonly to: string
  readonly status: number
  /** The path and query of the request follow. */
  readonly keepPath: boolean
}

/** They change what a server gets, so that requests without them would be wrong; or they guard the route. */
const UNSUPPORTED: ReadonlyMap<string, string> = new Map([
  ['strip', 'paths cannot be changed'],
  ['prepend', 'paths cannot be changed'],
  ['auth', 'there is no such middleware'],
])
const KNOWN: ReadonlySet<string> = new Set([
  ...UNSUPPORTED.keys(),
  ...['proto', 'host', 'tlsskipverify', 'redirect', 'allow', 'deny'],
])
const STATUSES = [301, 302, 303, 307, 308]

/** Throws a TranslationError with what cannot be honoured and closes the route. */
export function readSettings({ destinations }: Route): RouteSettings {
  const remarks = new Set<string>()
  for (const { options } of destinations) {
    for (const [name, value] of options) {
      const why = UNSUPPORTED.get(name)
      if (why !== undefined) throw new TranslationError(`${name}=${value}: ${why}`)
      if (!KNOWN.has(name)) remarks.add(`${quote(name)} is not honoured`)
    }
  }
  const clients = [...new Set(destinations.map(readClients))]
  if (clients.length > 1) {
    throw new TranslationError(
      'its destinations have different allow and deny, and this route needs one',
    )
  }
  const hosts = [...new Set(destinations.map(({ options }) => options.get('host') ?? ''))]
  const foreign = hosts.find((host) => host !== '' && host !== 'dst')
  if (foreign !== undefined) {
    throw new TranslationError(`host=${foreign}: only host=dst can be sent to a server`)
  }
  if (hosts.length > 1) remarks.add('host=dst is not honoured: not all destinations have it')
  const unverified = destinations.filter(({ options }) => options.get('tlsskipverify') === 'true')
  const verify = unverified.length < destinations.length
  if (verify && unverified.length > 0) {
    remarks.add('tlsskipverify=true is not honoured: not all destinations have it')
  }
  return {
    passHost: hosts.length !== 1 || hosts[0] !== 'dst',
    verify,
    clients: clients[0] ?? '',
    redirect: readRedirect(destinations),
    remarks: [...remarks],
  }
}

/** `ClientIP(...)`: fabio refuses a list of both kinds and ignores it; here both hold. */
function readClients({ options }: Destination): string {
  const terms = (['allow', 'deny'] as const).flatMap((name) => {
    const written = options.get(name)
    if (written === undefined || written === '') return []
    const ranges = written.split(',').map((item) => readRange(name, item.trim()))
    return [(name === 'deny' ? '!' : '') + routeCall('ClientIP', ranges)]
  })
  return terms.join(' && ')
}

/** `ip:10.0.0.0/8`; fabio's pages also write it without its type. */
function readRange(name: string, item: string): string {
  const range = item.replace(/^ip:\s*/i, '')
  const [address = '', bits] = range.split('/', 2)
  const family = isIP(address)
  const isBlock =
    bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128))
  if (family !== 0 && isBlock && range.split('/').length <= 2) return range
  throw new TranslationError(`${name}: must be ip:ADDRESS or ip:ADDRESS/BITS, not ${quote(item)}`)
}

/** Null: none of them redirects. */
function readRedirect(destinations: readonly Destination[]): RedirectTo | null {
  const [first, ...more] = destinations.filter(({ options }) => options.has('redirect'))
  if (first === undefined) return null
  if (more.length + 1 < destinations.length) {
    throw new TranslationError('some of its destinations redirect, and some are servers')
  }
  const found = toRedirect(first)
  const isOne = more.every((one) => {
    const other = toRedirect(one)
    return (
      other.to === found.to && other.status === found.status && other.keepPath === found.keepPath
    )
  })
  if (!isOne) throw new TranslationError('its destinations redirect to different places')
  return found
}

function toRedirect({ destination, options }: Destination): RedirectTo {
  const status = Number(options.get('redirect'))
  if (!STATUSES.includes(status)) {
    throw new TranslationError(
      `redirect=${options.get('redirect')}: must be one of ${STATUSES.join(', ')}`,
    )
  }
  const keepPath = destination.endsWith('$path')
  const written = keepPath ? destination.slice(0, -'$path'.length) : destination
  const to = written.replace('$host', '{host}')
  const isPlain = !/[{}]|\$path/.test(written) && !(keepPath && /[?#]/.test(written))
  if (!isPlain || !/^https?:\/\/[^/]/i.test(written)) {
    throw new TranslationError(
      `cannot redirect to ${quote(destination)}: it must be a URL, and $path may only be its end`,
    )
  }
  // The path of the request begins with a slash.
  if (keepPath) return { to: to.replace(/\/$/, ''), status, keepPath }
  return { to: /^https?:\/\/[^/]+$/i.test(to) ? `${to}/` : to, status, keepPath }
}
