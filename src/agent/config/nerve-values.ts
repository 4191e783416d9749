/** Single values of a configuration of nerve. */
import { parseHost } from '../../model/address.ts'
import { refuseId } from '../../model/names.ts'
import { bad, good, isMap, quote, type Scalar } from '../../model/parsed.ts'

const MAX_INTERVAL_S = 86_400
const MAX_SECONDS = 3_600

export function parseInstance(value: unknown): Scalar<string> {
  const text = typeof value === 'number' ? String(value) : value
  if (typeof text !== 'string') return bad(`must be text, not ${quote(value)}`)
  const reason = refuseId(text)
  return reason === null ? good(text) : bad(reason)
}

export function parseHostText(value: unknown): Scalar<string> {
  return typeof value === 'string' ? parseHost(value) : bad(`must be a host, not ${quote(value)}`)
}

export function parsePort(value: unknown): Scalar<number> {
  const port = typeof value === 'string' && /^\d{1,5}$/.test(value) ? Number(value) : value
  return typeof port === 'number' && Number.isInteger(port) && port >= 1 && port <= 65_535
    ? good(port)
    : bad(`must be a port from 1 to 65535, not ${quote(value)}`)
}

export function parseInterval(value: unknown): Scalar<number> {
  const seconds = Number(value)
  return seconds >= 0.05 && seconds <= MAX_INTERVAL_S
    ? good(seconds)
    : bad(`must be seconds from 0.05 to ${MAX_INTERVAL_S}, not ${quote(value)}`)
}

export function parsePath(value: unknown): Scalar<string> {
  if (typeof value !== 'string') return bad(`must be a path, not ${quote(value)}`)
  const path = `/${value.split('/').filter(Boolean).join('/')}`
  return path.length > 1 && path.length <= 512 && !/[\s\p{C}]/u.test(path)
    ? good(path)
    : bad(`must be a path such as /services/web, not ${quote(value)}`)
}

export function parseWeight(value: unknown): Scalar<number> {
  const weight = typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : value
  return typeof weight === 'number' && Number.isInteger(weight) && weight >= 0 && weight <= 1000
    ? good(weight)
    : bad(`must be a whole number from 0 to 1000, not ${quote(value)}`)
}

export function parseLabels(value: unknown): Scalar<Readonly<Record<string, string>>> {
  if (!isMap(value)) return bad(`must be a map, not ${quote(value)}`)
  const texts: [string, string][] = []
  for (const [name, one] of Object.entries(value)) {
    if (!['string', 'number', 'boolean'].includes(typeof one))
      return bad(`the label ${quote(name)} must be text, not ${quote(one)}`)
    texts.push([name, String(one)])
  }
  return good(Object.fromEntries(texts))
}

export function parseNumber(least: number): (value: unknown) => Scalar<number> {
  return (value) =>
    typeof value === 'number' && value >= least
      ? good(value)
      : bad(`must be a number from ${least}, not ${quote(value)}`)
}

export function parseUri(value: unknown): Scalar<string> {
  return typeof value === 'string' && /^\/[!"$-~]{0,2047}$/.test(value)
    ? good(value)
    : bad(`must begin with / and hold visible characters only, not ${quote(value)}`)
}

export function parseSeconds(value: unknown): Scalar<number> {
  const seconds = Number(value)
  return seconds > 0 && seconds <= MAX_SECONDS
    ? good(seconds)
    : bad(`must be seconds up to ${MAX_SECONDS}, not ${quote(value)}`)
}

export function parseCount(value: unknown): Scalar<number> {
  const count = Number(value)
  return Number.isInteger(count) && count >= 1 && count <= 100
    ? good(count)
    : bad(`must be a whole number from 1 to 100, not ${quote(value)}`)
}
