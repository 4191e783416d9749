/** A fake registry for the core of the agent: it confirms calls when the test lets it, and records them. */
import type { OpenRegistrar } from '../../src/agent/watch/shared-registrar.ts'
import type { RegistrarSpec } from '../../src/agent/registrar/kind.ts'
import {
  RegistrarFailure,
  type Registrar,
  type RegistrarListener,
  type Registration,
  type RegistrationKey,
} from '../../src/agent/registrar/registrar.ts'
import { createWatch, type Watch } from './until.ts'

export interface FakeRegistry extends Pick<Watch, 'until'> {
  readonly open: OpenRegistrar
  /** `etcd put web/a 10.0.0.1:80`, `etcd remove web/a`, `etcd open`, `etcd close`, `etcd abandon`, in their order. */
  readonly calls: string[]
  /** `etcd web/a` to `10.0.0.1:80`. */
  readonly entries: ReadonlyMap<string, string>
  /** False: it takes nothing, and confirms nothing, until it is true again. */
  isThere: boolean
  /** Loses what it has, and registers it again if it is there. */
  wipe(): void
  /** The service that it refuses; null: none. */
  refused: string | null
}

export const FAKE_SPEC: RegistrarSpec = { kind: 'etcd', name: 'etcd', ttlMs: 10_000 }

export function createFakeRegistry(): FakeRegistry {
  const watch = createWatch()
  const calls: string[] = []
  const entries = new Map<string, string>()
  const open = new Set<{
    wanted: Map<string, Registration>
    listener: RegistrarListener
    name: string
  }>()
  let isThere = true

  const nameOf = ({ service, id }: RegistrationKey): string => `${service}/${id}`
  const call = (text: string): void => {
    calls.push(text)
    watch.changed()
  }

  /** Writes what is wanted and not there. */
  function settle(): void {
    if (!isThere) return
    for (const { wanted, listener, name } of open) {
      for (const registration of wanted.values()) {
        if (registration.service === fake.refused) {
          const reason = 'no permission'
          listener.onRegistration(registration, { status: 'missing', reason, isRefused: true })
          continue
        }
        const key = `${name} ${nameOf(registration)}`
        const value = `${registration.host}:${registration.port}`
        if (entries.get(key) === value) continue
        entries.set(key, value)
        listener.onRegistration(registration, { status: 'registered' })
      }
    }
    watch.changed()
  }

  const openOne: OpenRegistrar = async ({ name, ttlMs }, listener) => {
    const wanted = new Map<string, Registration>()
    const one = { wanted, listener, name }
    open.add(one)
    call(`${name} open`)
    setImmediate(() => listener.onLink({ status: 'up' }))
    const registrar: Registrar = {
      place: `${name} 127.0.0.1`,
      ttlMs,
      refuse: () => null,
      put(registration) {
        call(`${name} put ${nameOf(registration)} ${registration.host}:${registration.port}`)
        wanted.set(nameOf(registration), registration)
        setImmediate(settle)
      },
      async remove(key) {
        call(`${name} remove ${nameOf(key)}`)
        wanted.delete(nameOf(key))
        await new Promise((resolve) => setImmediate(resolve))
        if (!isThere) throw new RegistrarFailure('the registry is away')
        entries.delete(`${name} ${nameOf(key)}`)
        watch.changed()
      },
      async close() {
        call(`${name} close`)
        open.delete(one)
        const left = [...wanted.keys()]
        if (left.length > 0 && !isThere) throw new RegistrarFailure('the registry is away')
        for (const key of left) entries.delete(`${name} ${key}`)
        watch.changed()
      },
      async abandon() {
        call(`${name} abandon`)
        open.delete(one)
      },
    }
    return registrar
  }

  const fake: FakeRegistry = {
    open: openOne,
    calls,
    entries,
    until: watch.until,
    refused: null,
    get isThere() {
      return isThere
    },
    set isThere(next) {
      isThere = next
      settle()
    },
    wipe() {
      entries.clear()
      for (const { wanted, listener } of open)
        for (const registration of wanted.values())
          listener.onRegistration(registration, {
            ...{ status: 'missing', reason: 'it is gone', isRefused: false },
          })
      settle()
    },
  }
  return fake
}
