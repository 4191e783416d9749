/** The services of one data center that are read: the last state of each, which stays while it cannot be read. */
import { messageOf } from '../../model/error-message.ts'
import { isMap } from '../../model/parsed.ts'
import type { Problem } from '../../model/problem.ts'
import type { ConsulRead } from '../consul-api/query.ts'
import { isKeyOf, readInstances, type Instance, type InstanceRules } from './instances.ts'
import { isOurs } from './tags.ts'

export interface TableRules extends InstanceRules {
  /** Whether services without any tag for Sluice are read, too. */
  readonly readsAll: boolean
  /** Null if the source has one data center, else its name. */
  readonly where: string | null
}

export interface ServiceTable {
  readonly names: Pick<ReadonlySet<string>, 'has' | 'keys' | 'size'>
  instances(): Iterable<Instance>
  /** Those with an instance on the node. */
  servicesOn(node: string): readonly string[]
  /** Takes the list of all services with their tags. */
  setServices(read: ConsulRead): void
  take(name: string, read: ConsulRead): void
  /** Its last state stays. */
  fail(name: string, error: unknown): void
  /** Those without an outcome so far. */
  unsettled(): readonly string[]
  /** Resolves once each service was read, or could not be read. */
  settled(signal: AbortSignal): Promise<void>
  problems(): readonly Problem[]
  /** Whether a key is of a service that was never read. */
  isUnread(key: string): boolean
}

interface Tracked {
  instances: ReadonlyMap<string, Instance>
  /** Whether there was an outcome; whether it was ever read. */
  isSettled: boolean
  isRead: boolean
  error: string | null
  unreadable: number
  /** Of its last response. */
  chars: number
}

/** Consul's own. */
const CONSUL = 'consul'
const MAX_SERVICES = 10_000
const MAX_NAME = 255
/** Of all responses that are kept. */
const MAX_CHARS = 64 << 20
const MAX_PROBLEMS = 100

export function createServiceTable(rules: TableRules, onChange: () => void): ServiceTable {
  const services = new Map<string, Tracked>()
  let unsettled = 0
  let tooMany = 0
  let tooLong = 0
  let isFiltered = false
  let chars = 0
  let onSettled: (() => void) | null = null

  function settle(service: Tracked): void {
    if (service.isSettled) return
    service.isSettled = true
    unsettled -= 1
    if (unsettled === 0) onSettled?.()
  }

  function add(name: string): void {
    const state = { isSettled: false, isRead: false, error: null, unreadable: 0, chars: 0 }
    services.set(name, { ...state, instances: new Map() })
    unsettled += 1
  }

  function remove(name: string, service: Tracked): void {
    settle(service)
    services.delete(name)
    chars -= service.chars
    onChange()
  }

  return {
    get names() {
      return services
    },
    *instances() {
      for (const { instances } of services.values()) yield* instances.values()
    },
    servicesOn(node) {
      const isOn = (instance: Instance): boolean => instance.node === node
      return [...services].flatMap(([name, { instances }]) =>
        [...instances.values()].some(isOn) ? [name] : [],
      )
    },
    setServices(read) {
      const ours = namesOf(read.body, rules)
      const found = new Set([...ours].filter((name) => name.length <= MAX_NAME))
      tooLong = ours.size - found.size
      tooMany = Math.max(0, found.size - MAX_SERVICES)
      isFiltered = read.isFiltered
      for (const [name, service] of services) if (!found.has(name)) remove(name, service)
      for (const name of found) {
        if (!services.has(name) && services.size < MAX_SERVICES) add(name)
      }
    },
    take(name, read) {
      const service = services.get(name)
      if (service === undefined) return
      const others = chars - service.chars
      if (others + read.chars > MAX_CHARS) {
        throw new Error('the source already holds 64 MiB of text; deregister some services')
      }
      const { instances, unreadable } = readInstances(
        read.body,
        rules,
        rules.where,
        service.instances,
      )
      const isSame =
        service.isRead &&
        service.error === null &&
        service.unreadable === unreadable &&
        areSame(service.instances, instances)
      chars = others + read.chars
      Object.assign(service, {
        instances,
        unreadable,
        error: null,
        isRead: true,
        chars: read.chars,
      })
      settle(service)
      if (!isSame) onChange()
    },
    fail(name, error) {
      const service = services.get(name)
      if (service === undefined) return
      const before = service.error
      service.error = messageOf(error)
      settle(service)
      if (before !== service.error) onChange()
    },
    unsettled: () => [...services].flatMap(([name, { isSettled }]) => (isSettled ? [] : [name])),
    settled(signal) {
      return new Promise((resolve, reject) => {
        const abort = (): void => reject(signal.reason as Error)
        if (signal.aborted) return abort()
        if (unsettled === 0) return resolve()
        signal.addEventListener('abort', abort, { once: true })
        onSettled = () => {
          signal.removeEventListener('abort', abort)
          resolve()
        }
      })
    },
    problems() {
      const found: Problem[] = []
      const place = rules.where === null ? '' : ` of data center ${rules.where}`
      const add = (key: string, message: string): void =>
        void found.push({ kind: 'source', id: '', message, source: '', key })
      if (isFiltered) {
        add(
          `catalogue${place}`,
          'the ACL token may not read all services: see service_prefix and node_prefix',
        )
      }
      if (tooMany > 0) {
        add(`catalogue${place}`, `has ${tooMany} services beyond the ${MAX_SERVICES} that are read`)
      }
      if (tooLong > 0) {
        const names = `names of more than ${MAX_NAME} characters`
        add(`catalogue${place}`, `has ${tooLong} services with ${names}, which are not read`)
      }
      for (const [name, { error, isRead, isSettled, unreadable }] of services) {
        if (found.length > MAX_PROBLEMS) break
        if (!isSettled) add(`service ${name}${place}`, 'has not been read yet')
        const stays = isRead ? '; its last state stays' : ''
        if (error !== null) add(`service ${name}${place}`, `cannot be read: ${error}${stays}`)
        if (unreadable > 0) {
          add(`service ${name}${place}`, `has ${unreadable} entries that are no instances`)
        }
      }
      return found
    },
    isUnread(key) {
      for (const [name, { isRead }] of services) {
        if (!isRead && isKeyOf(key, name, rules.where)) return true
      }
      return false
    },
  }
}

/** The names of services with tags for Sluice. `body` is a map of names to the tags of all their instances. */
function namesOf(body: unknown, { readsAll, prefix }: TableRules): ReadonlySet<string> {
  if (!isMap(body)) throw new Error('Consul responds with something that is not a map of services')
  const names = new Set<string>()
  for (const [name, tags] of Object.entries(body)) {
    if (name === CONSUL || name === '' || !Array.isArray(tags)) continue
    const texts = tags.filter((tag): tag is string => typeof tag === 'string')
    if (readsAll || isOurs(texts, prefix)) names.add(name)
  }
  return names
}

function areSame(
  some: ReadonlyMap<string, Instance>,
  others: ReadonlyMap<string, Instance>,
): boolean {
  return some.size === others.size && [...some].every(([id, one]) => others.get(id) === one)
}
