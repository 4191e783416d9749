/**
 * One registrar for all services that are registered in the same place. It remembers what is wanted there. If a registration that
 * is wanted stays missing, or the registry is not reached for long, the registrar is closed and another one is opened: a client
 * that does not recover must not keep services out of the registry.
 */
import type { Log } from '../../observe/log.ts'
import type { RegistrarSpec } from '../registrar/kind.ts'
import type {
  LinkState,
  Registrar,
  RegistrarListener,
  Registration,
  RegistrationKey,
  RegistrationState,
} from '../registrar/registrar.ts'

export type OpenRegistrar = (spec: RegistrarSpec, listener: RegistrarListener) => Promise<Registrar>

export interface WantedRegistration {
  readonly registration: Registration
  readonly reopenMs: number
  readonly onState: (state: RegistrationState) => void
}

export interface SharedRegistrar {
  /** Null: it is not open yet. */
  place(): string | null
  /** Null: nothing is known yet. */
  link(): LinkState | null
  /** In place of what was wanted of the same service and id. */
  want(wanted: WantedRegistration): void
  /**
   * Resolves when the registry has confirmed that, at once if another registration of the same service and id is wanted in its
   * place; rejects with the reason if it does not.
   */
  remove(registration: Registration): Promise<void>
  /** Rejects if what is left could not be removed. */
  close(): Promise<void>
}

export interface SharedRegistrarOptions {
  readonly spec: RegistrarSpec
  readonly open: OpenRegistrar
  readonly log: Log
  /** ms, monotonic. */
  readonly now: () => number
}

interface Entry {
  readonly wanted: WantedRegistration
  /** Since when it is not in the registry; null: it is there. */
  missingSince: number | null
}

const LOOK_EVERY_MS = 1_000
/** A client that does not recover may not end, either. */
const CLOSE_WITHIN_MS = 5_000
const OPEN_AGAIN_MS = 1_000

export function createSharedRegistrar(options: SharedRegistrarOptions): SharedRegistrar {
  const { spec, open, log, now } = options
  const entries = new Map<string, Entry>()
  let registrar: Registrar | null = null
  let link: LinkState | null = null
  let linkDownSince: number | null = null
  let isClosed = false
  let retry: NodeJS.Timeout | undefined
  /** Opening and closing, one after the other. */
  let turn: Promise<void> = openOne()
  const looking = setInterval(look, LOOK_EVERY_MS)

  const listener: RegistrarListener = {
    onRegistration(key, state) {
      const entry = entries.get(nameOf(key))
      if (entry === undefined) return
      // What another process has taken would be taken back by another client, in turns for ever.
      if (state.is === 'missing') entry.missingSince ??= now()
      else entry.missingSince = null
      entry.wanted.onState(state)
    },
    onLink(state) {
      const before = link
      link = state
      linkDownSince = state.is === 'down' ? (linkDownSince ?? now()) : null
      if (state.is === 'down') {
        const level = state.isRefused ? 'error' : 'warn'
        log[level]({ registry: place() }, `the registry is not reached: ${state.reason}`)
      } else if (before?.is === 'down') {
        log.info({ registry: place() }, 'the registry is reached again')
      }
    },
  }

  async function openOne(): Promise<void> {
    // Not before the caller has what is assigned here.
    await Promise.resolve()
    if (isClosed) return
    try {
      registrar = await open(spec, listener)
      for (const { wanted } of entries.values()) put(registrar, wanted)
    } catch (error) {
      log.error({ err: error }, 'the client of the registry cannot be opened; it is tried again')
      retry = setTimeout(() => {
        turn = turn.then(openOne)
      }, OPEN_AGAIN_MS)
    }
  }

  function put(to: Registrar, { registration, onState }: WantedRegistration): void {
    const refused = to.refuse(registration)
    if (refused === null) {
      to.put(registration)
      return
    }
    const { service, id } = registration
    log.error({ registry: to.place, service, id }, `the service cannot be registered: ${refused}`)
    // Another try would change nothing.
    entries.delete(nameOf(registration))
    onState({ is: 'missing', reason: refused })
  }

  /** Resolves to why what is left could not be removed, or null. */
  async function closeOne(): Promise<Error | null> {
    const closing = registrar
    registrar = null
    link = null
    linkDownSince = null
    const { promise: late, reject } = Promise.withResolvers<never>()
    const timer = setTimeout(reject, CLOSE_WITHIN_MS, new Error('its client does not end'))
    try {
      await Promise.race([closing?.close(), late])
      return null
    } catch (error) {
      return error as Error
    } finally {
      clearTimeout(timer)
    }
  }

  function look(): void {
    if (registrar === null || isClosed) return
    const at = now()
    const stuck = [...entries.values()].find(
      ({ wanted, missingSince }) =>
        at - Math.min(missingSince ?? at, linkDownSince ?? at) >= wanted.reopenMs,
    )
    if (stuck === undefined) return
    const { service, id } = stuck.wanted.registration
    const seconds = Math.round(stuck.wanted.reopenMs / 1000)
    log.warn(
      { registry: place(), service, id },
      `not kept in the registry for ${seconds} s although it should be: the client of the registry is opened anew`,
    )
    for (const entry of entries.values()) if (entry.missingSince !== null) entry.missingSince = at
    turn = turn.then(async () => {
      await closeOne()
      await openOne()
    })
  }

  function place(): string | null {
    return registrar?.place ?? null
  }

  return {
    place,
    link: () => link,
    want(wanted) {
      entries.set(nameOf(wanted.registration), { wanted, missingSince: now() })
      if (registrar !== null) put(registrar, wanted)
    },
    async remove(registration) {
      const name = nameOf(registration)
      if (entries.get(name)?.wanted.registration !== registration) return
      entries.delete(name)
      if (registrar === null) await turn
      // Meanwhile it may be wanted again.
      if (!entries.has(name)) await registrar?.remove(registration)
    },
    async close() {
      isClosed = true
      clearInterval(looking)
      clearTimeout(retry)
      await turn
      const failure = await closeOne()
      if (failure !== null) throw failure
    },
  }
}

function nameOf({ service, id }: RegistrationKey): string {
  return `${service}/${id}`
}
