/** The instances of one service, as `/v1/health/service/<name>` returns them. They are not trusted. */
import { isMap, type JsonMap } from '../../model/parsed.ts'
import type { Labelled } from '../labels/labelled.ts'
import { labelsOf } from './tags.ts'

/** Of a check, and of an instance: its worst check. */
export type HealthStatus = 'passing' | 'warning' | 'critical' | 'maintenance'

export interface InstanceRules {
  /** In which status an instance serves. */
  readonly strictChecks: readonly HealthStatus[]
  /** What Traefik's tags begin with. */
  readonly prefix: string
}

export interface Instance {
  /** As for the reader of labels; the same object while nothing of it changes. */
  readonly item: Labelled
  readonly tags: readonly string[]
  readonly node: string
  readonly datacenter: string
  /** What `item` was made of. */
  readonly signature: string
}

const MAX_WEIGHT = 1_000
const MAX_TAGS = 1_000

function keyOf(service: string, serviceId: string, node: string, where: string | null): string {
  return `service ${service}, ${serviceId} on ${node}${placeOf(where)}`
}

/** Whether the key is of an instance of this service. */
export function isKeyOf(key: string, service: string, where: string | null): boolean {
  return key.startsWith(`service ${service}, `) && key.endsWith(placeOf(where))
}

/** Whether the key is of an instance in this data center. */
export function isKeyIn(key: string, where: string): boolean {
  return key.endsWith(placeOf(where))
}

function placeOf(where: string | null): string {
  return where === null ? '' : ` in ${where}`
}

/**
 * `before`: the instances that the service had. `where`: null if the source has one data center, else its name. Entries that are
 * no instances are left out and counted.
 */
export function readInstances(
  body: unknown,
  rules: InstanceRules,
  where: string | null,
  before: ReadonlyMap<string, Instance>,
): { readonly instances: ReadonlyMap<string, Instance>; readonly unreadable: number } {
  if (!Array.isArray(body)) throw new Error('Consul responds with something that is not a list')
  const instances = new Map<string, Instance>()
  let unreadable = 0
  for (const entry of body as readonly unknown[]) {
    const parts = partsOf(entry)
    if (parts === null) unreadable += 1
    else if (parts.isProxy || instances.has(parts.id)) continue
    else {
      const signature = JSON.stringify(parts)
      const known = before.get(parts.id)
      const isSame = known !== undefined && known.signature === signature
      instances.set(parts.id, isSame ? known : toInstance(parts, signature, rules, where))
    }
  }
  return { instances, unreadable }
}

/** What matters of an entry. */
interface Parts {
  /** Unique in its data center: an id of a service is unique on its node only. */
  readonly id: string
  readonly serviceId: string
  readonly service: string
  readonly node: string
  readonly datacenter: string
  readonly host: string
  readonly port: number
  readonly tags: readonly string[]
  readonly meta: JsonMap
  readonly weights: JsonMap
  readonly status: HealthStatus
  readonly createdAt: number
  /** A sidecar or a gateway of Consul's mesh. */
  readonly isProxy: boolean
}

function partsOf(entry: unknown): Parts | null {
  if (!isMap(entry)) return null
  const { Node: node, Service: service, Checks: checks } = entry
  if (!isMap(node) || !isMap(service)) return null
  const nodeName = textOf(node['Node'])
  const name = textOf(service['Service'])
  const serviceId = textOf(service['ID']) || name
  if (nodeName === '' || name === '') return null
  return {
    id: `${nodeName}:${serviceId}`,
    serviceId,
    service: name,
    node: nodeName,
    datacenter: textOf(node['Datacenter']),
    host: textOf(service['Address']) || textOf(node['Address']),
    port: numberOf(service['Port']),
    tags: textsOf(service['Tags']),
    meta: isMap(service['Meta']) ? service['Meta'] : {},
    weights: isMap(service['Weights']) ? service['Weights'] : {},
    status: statusOf(checks),
    createdAt: numberOf(service['CreateIndex']),
    isProxy: textOf(service['Kind']) !== '',
  }
}

function toInstance(
  parts: Parts,
  signature: string,
  { strictChecks, prefix }: InstanceRules,
  where: string | null,
): Instance {
  const { id, service, serviceId, node, host, port, tags, meta, status, datacenter } = parts
  const weight = weightOf(parts)
  const item: Labelled = {
    id: where === null ? id : `${where}:${id}`,
    key: keyOf(service, serviceId, node, where),
    service,
    labels: labelsOf(tags, meta, prefix),
    ports: port >= 1 && port <= 65_535 ? [port] : [],
    address: (at) =>
      host === ''
        ? { reason: 'neither the service nor its node has an address' }
        : { host, port: at },
    isServing: strictChecks.includes(status) && weight !== 0,
    ...(weight === null ? {} : { weight }),
    createdAt: parts.createdAt,
  }
  return { item, tags, node, datacenter, signature }
}

/** Null: the default. Consul's weights are 1 to 65535, or 0 to keep an instance with a warning out. */
function weightOf({ weights, status }: Parts): number | null {
  const weight = weights[status === 'warning' ? 'Warning' : 'Passing']
  if (typeof weight !== 'number' || !Number.isInteger(weight) || weight < 0) return null
  return weight === 1 ? null : Math.min(weight, MAX_WEIGHT)
}

/** The worst of its checks, those of its node included. */
function statusOf(checks: unknown): HealthStatus {
  let worst: HealthStatus = 'passing'
  for (const check of Array.isArray(checks) ? (checks as readonly unknown[]) : []) {
    if (!isMap(check)) continue
    const id = textOf(check['CheckID'])
    if (id === '_node_maintenance' || id.startsWith('_service_maintenance:')) return 'maintenance'
    const status = textOf(check['Status'])
    if (status === 'passing') continue
    if (status !== 'warning') worst = 'critical'
    else if (worst === 'passing') worst = 'warning'
  }
  return worst
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

function numberOf(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0
}

function textsOf(value: unknown): readonly string[] {
  if (!Array.isArray(value)) return []
  return value.filter((one): one is string => typeof one === 'string').slice(0, MAX_TAGS)
}
