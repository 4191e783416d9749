/**
 * The route expression of fabio's `host/path`. It needs no priority, because fabio's order is that of Sluice: an exact host before
 * a pattern, the pattern with more of a name before the shorter one, any host last; in a host the longer path first.
 */
import { splitHostPort } from '../../../model/address.ts'
import { escapeRegexp, routeCall } from '../../route-terms.ts'

export interface RouteText {
  readonly route: string
  readonly remarks: readonly string[]
}

/** Of fabio's default ports: its pattern `a.com:80` takes plain requests, `a.com:443` those over TLS. */
const DEFAULT_PORTS: ReadonlyMap<number, string> = new Map([
  [80, 'http'],
  [443, 'https'],
])

export function toRouteText(host: string, path: string): RouteText {
  const { name, port } = splitPort(host)
  const remarks: string[] = []
  const terms = [hostTerm(name), portTerm(port), pathTerm(path)].filter((term) => term !== null)
  const scheme = port === null ? undefined : DEFAULT_PORTS.get(port)
  if (scheme !== undefined) {
    remarks.push(
      `its host names port ${port}; in fabio it takes requests by ${scheme} only, here by both`,
    )
  }
  return { route: terms.length === 0 ? 'PathPrefix("/")' : terms.join(' && '), remarks }
}

export function splitPort(host: string): { readonly name: string; readonly port: number | null } {
  const split = splitHostPort(host)
  return split === null ? { name: host, port: null } : { name: split.host, port: split.port }
}

function portTerm(port: number | null): string | null {
  return port === null || DEFAULT_PORTS.has(port) ? null : `HeaderRegexp("Host", ":${port}$")`
}

/** What a glob of fabio gives a meaning. */
const SPECIAL = /[*?[\]{}\\!]/

function hostTerm(name: string): string | null {
  if (name === '' || name === '*') return null
  if (!SPECIAL.test(name)) return routeCall('Host', [name])
  const below = /^\*\.(.+)$/.exec(name)?.[1]
  // The star of fabio spans dots.
  if (below !== undefined && !SPECIAL.test(below)) return routeCall('Host', [`**.${below}`])
  const expression = routeCall('HostRegexp', [`^${globToRegExp(name)}$`])
  const isSimple = !SPECIAL.test(name.replaceAll('*', '')) && !name.includes('**')
  if (!isSimple) return expression
  // As a pattern it has its place among patterns; as an expression its star spans dots.
  let count = 0
  const pattern = name.replaceAll('*', () => `<n${(count += 1)}>`)
  return `(${routeCall('Host', [pattern])} || ${expression})`
}

/** A prefix of the text in fabio: `/foo` holds for `/foot`, too. */
function pathTerm(path: string): string | null {
  if (path === '/' || path === '') return null
  if (/[<>]/.test(path)) return routeCall('PathRegexp', [`^${escapeRegexp(path)}`])
  return path.endsWith('/')
    ? routeCall('PathPrefix', [path])
    : routeCall('Path', [`${path}<path:rest>`])
}

/** Stars, question marks, sets and alternatives; an unclosed one is itself. */
function globToRegExp(glob: string): string {
  return glob.replace(/\*+|\?|\[!?[^\]]*\]|\{[^{}]*\}|[^*?[{]+|./g, (part) => {
    if (part.startsWith('*')) return '.*'
    if (part === '?') return '.'
    if (/^\[.+\]$/.test(part)) return setToRegExp(part.slice(1, -1))
    if (/^\{.*\}$/.test(part))
      return `(?:${part.slice(1, -1).split(',').map(globToRegExp).join('|')})`
    return escapeRegexp(part)
  })
}

function setToRegExp(set: string): string {
  const isNegated = set.startsWith('!')
  const members = (isNegated ? set.slice(1) : set).replace(/[\\\]^[]/g, '\\$&')
  return `[${isNegated ? '^' : ''}${members}]`
}
