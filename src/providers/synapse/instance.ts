/** One server of a service, as a registry, an engine or the configuration has it, and the server of a backend that it becomes. */
import { bracketHost, parseHost } from '../../model/address.ts'
import { bad, good, isMap, quote, type JsonMap, type Scalar } from '../../model/parsed.ts'

export interface Instance {
  readonly name: string
  /** An address, or a name; without brackets. */
  readonly host: string
  /** Null: it is not known; `backend_port_override` has it. */
  readonly port: number | null
  /** The number of its znode, by which leaders are elected. */
  readonly id: number | null
  readonly weight: number | null
  /** Words of a server line of HAProxy. */
  readonly haproxyOptions: string
  readonly labels: JsonMap
}

export const NO_LABELS: JsonMap = {}

/** `{"host", "port", "name"?, "weight"?, "haproxy_server_options"?, "labels"?}`, of nerve and of `default_servers`. */
export function readInstance(value: unknown, id: number | null = null): Scalar<Instance> {
  if (!isMap(value)) return bad(`must be a map with host and port, not ${quote(value)}`)
  const { host, port = null, name, weight, haproxy_server_options: options, labels } = value
  if (typeof host !== 'string' || host === '')
    return bad(`its host must be text, not ${quote(host)}`)
  const parsed = parseHost(host.endsWith('.') ? host.slice(0, -1) : host)
  if (!parsed.ok) return bad(`its host ${quote(host)} cannot be used: ${parsed.reason}`)
  const number = port === null ? good(null) : readPort(port)
  if (!number.ok) return bad(`its port ${number.reason}`)
  return good({
    name: typeof name === 'string' || typeof name === 'number' ? String(name) : '',
    host: parsed.value,
    port: number.value,
    id,
    weight: typeof weight === 'number' && Number.isInteger(weight) && weight >= 0 ? weight : null,
    haproxyOptions: typeof options === 'string' ? options : '',
    labels: isMap(labels) ? labels : NO_LABELS,
  })
}

/** Some writers have it as text. */
export function readPort(value: unknown): Scalar<number> {
  const number = typeof value === 'string' && /^\d{1,5}$/.test(value) ? Number(value) : value
  return typeof number === 'number' && Number.isInteger(number) && number >= 1 && number <= 65_535
    ? good(number)
    : bad(`must be from 1 to 65535, not ${quote(value)}`)
}

/** `10.0.0.7:8080`, `[::1]:8080`. */
export function placeOf({ host, port }: Instance): string {
  return `${bracketHost(host)}:${port ?? ''}`
}

/** As the files of `file_output` have it. */
export function toOutput(one: Instance): JsonMap {
  return {
    name: one.name === '' ? null : one.name,
    host: one.host,
    port: one.port,
    id: one.id,
    weight: one.weight,
    haproxy_server_options: one.haproxyOptions === '' ? null : one.haproxyOptions,
    labels: one.labels === NO_LABELS ? null : one.labels,
  }
}
