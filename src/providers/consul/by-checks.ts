/**
 * Many services over few connections. Consul's list of all checks changes when an instance comes, goes, or changes its health; the
 * services of those checks are read. What changes without a check (an address or a tag of a service that has none) is
 * found by reading all services in turn, slowly, whenever Consul says that some service has changed, and every minute.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { isMap } from '../../model/parsed.ts'
import { exponentialBackoff } from '../../model/backoff.ts'
import { followResource } from '../consul-api/follow-resource.ts'
import { readConsul } from '../consul-api/query.ts'
import { createNotifier } from '../notifier.ts'
import { FIRST_RETRY_MS, LAST_RETRY_MS, type Reading, type ServiceReader } from './reading.ts'

const CHECKS_PATH = '/v1/health/state/any'
/** A check has up to 4 KiB of output. */
const MAX_CHECKS_BYTES = 32 << 20
/** At a time. A read that takes longer than `QUICK_MS` no longer counts as quick, so that slow services do not hold up others. */
const MAX_QUICK = 8
const QUICK_MS = 300
const MAX_READS = 64
/** Of these, for services that could not be read the last time. */
const MAX_RETRIES = 4
/** Of this thread, for reading all services in turn. */
const SWEEP_SHARE = 0.05
/** What a read costs this thread beside parsing. */
const READ_COST_MS = 0.3
const SWEEP_EVERY_MS = 60_000
const REFRESH_TICK_MS = 1_000

/** `onLost`: the checks cannot be followed. */
export function createByChecks(reading: Reading, onLost: (error: unknown) => void): ServiceReader {
  const { client, access, table, signal, now } = reading
  /** To be read at once. */
  const urgent = new Set<string>()
  /** To be read in turn. */
  const swept = new Set<string>()
  const failures = new Map<string, number>()
  /** Being read: two responses of one service might arrive in the wrong order. */
  const busy = new Set<string>()
  /** Of each `refresh`: those that it has yet to read. */
  const refreshes = new Set<Set<string>>()
  const answered = createNotifier()
  const sweep = createNotifier()
  let checks: ReadonlyMap<string, string> = new Map()
  let reads = 0
  let quick = 0
  let retries = 0
  signal.addEventListener('abort', sweep.notify, { once: true })

  function pump(): void {
    for (const name of urgent) {
      if (quick >= MAX_QUICK || reads >= MAX_READS || signal.aborted) return
      const isRetry = failures.has(name)
      if (busy.has(name) || (isRetry && retries >= MAX_RETRIES)) continue
      urgent.delete(name)
      void start(name, isRetry)
    }
  }

  async function start(name: string, isRetry: boolean): Promise<void> {
    reads += 1
    quick += 1
    if (isRetry) retries += 1
    let isQuick = true
    const slow = setTimeout(() => {
      isQuick = false
      quick -= 1
      pump()
    }, QUICK_MS)
    await read(name)
    clearTimeout(slow)
    reads -= 1
    if (isQuick) quick -= 1
    if (isRetry) retries -= 1
    pump()
  }

  /** Returns how long this thread was busy. */
  async function read(name: string): Promise<number> {
    swept.delete(name)
    busy.add(name)
    // A refresh that begins meanwhile needs a later read.
    const waiting = [...refreshes]
    const costMs = table.names.has(name) ? await reading.readOnce(name) : 0
    busy.delete(name)
    for (const names of waiting) names.delete(name)
    answered.notify()
    if (costMs !== null) {
      failures.delete(name)
      return costMs
    }
    const times = failures.get(name) ?? 0
    failures.set(name, times + 1)
    const delayMs = exponentialBackoff(FIRST_RETRY_MS, times, LAST_RETRY_MS)
    setTimeout(readSoon, delayMs, name).unref()
    return 0
  }

  function readSoon(name: string): void {
    urgent.add(name)
    pump()
  }

  function sweepAll(): void {
    for (const name of table.names.keys()) swept.add(name)
    sweep.notify()
  }

  async function sweepInTurn(): Promise<void> {
    while (!signal.aborted) {
      const [name] = swept
      if (name === undefined) {
        if (!(await sweep.wait(SWEEP_EVERY_MS))) sweepAll()
        continue
      }
      // It is read again anyway, and may be slow.
      if (failures.has(name) || busy.has(name)) {
        swept.delete(name)
        continue
      }
      const costMs = await read(name)
      await pause((costMs + READ_COST_MS) / SWEEP_SHARE, null, { signal }).catch(() => {})
    }
  }

  function takeChecks(body: unknown): void {
    const found = checksOf(body)
    for (const [id, check] of found) if (checks.get(id) !== check) note(id, check)
    for (const [id, check] of checks) if (!found.has(id)) note(id, check)
    checks = found
    pump()
  }

  /** A check without a service is of its node. */
  function note(id: string, check: string): void {
    const service = check.slice(check.indexOf(' ') + 1)
    const node = id.slice(0, id.indexOf('/'))
    for (const name of service === '' ? table.servicesOn(node) : [service]) urgent.add(name)
  }

  async function follow(): Promise<never> {
    const options = { signal, maxBytes: MAX_CHECKS_BYTES }
    const first = await readConsul(client, access, CHECKS_PATH, { ...options, isConsistent: true })
    checks = checksOf(first.body)
    for (const name of table.names.keys()) urgent.add(name)
    pump()
    void sweepInTurn()
    return followResource({
      ...{ client, access, path: CHECKS_PATH, now, ...options, index: first.index },
      onRead: ({ body }) => takeChecks(body),
    })
  }

  follow().catch((error: unknown) => {
    if (!signal.aborted) onLost(error)
  })

  return {
    update() {
      // A new service may have no check.
      for (const name of table.unsettled()) urgent.add(name)
      pump()
      sweepAll()
    },
    async refresh() {
      const left = new Set(table.names.keys())
      refreshes.add(left)
      for (const name of left) urgent.add(name)
      pump()
      while (left.size > 0 && !signal.aborted) await answered.wait(REFRESH_TICK_MS)
      refreshes.delete(left)
    },
  }
}

/** By node and check: the status and the service. */
function checksOf(body: unknown): ReadonlyMap<string, string> {
  if (!Array.isArray(body)) throw new Error('Consul responds with something that is not a list')
  const found = new Map<string, string>()
  for (const check of body as readonly unknown[]) {
    if (!isMap(check)) continue
    const { Node: node, CheckID: id, Status: status, ServiceName: service } = check
    found.set(`${String(node)}/${String(id)}`, `${String(status)} ${String(service ?? '')}`)
  }
  return found
}
