/**
 * One registrar for all services that are registered in the same place. It remembers what is wanted there. If a registration that
 * is wanted stays missing, or the registry is not reached for long, the registrar is abandoned and another one is opened: a client
 * that does not recover must not keep services out of the registry. What is registered stays so meanwhile.
 */
import { setTimeout as pause } from 'node:timers/promises'
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
  /** Removes all that is left. Rejects if that takes longer, by default as long as so many should take, or is refused. */
  close(withinMs?: number): Promise<void>
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
  /** Another process has registered the same. */
  isReplaced: boolean
}

const LOOK_EVERY_MS = 1_000
/** A client that does not recover may not end, either. */
const ABANDON_WITHIN_MS = 5_000
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
      // What another process has registered would be overwritten by another client, in turns for ever. What the registry refuses
      // it would refuse another client.
      if (state.status === 'missing' && !state.isRefused) entry.missingSince ??= now()
      else entry.missingSince = null
      entry.isReplaced = state.status === 'replaced'
      entry.wanted.onState(state)
    },
    onLink(state) {
      const before = link
      link = state
      linkDownSince = state.status === 'down' ? (linkDownSince ?? now()) : null
      if (state.status === 'down') {
        const level = state.isRefused ? 'error' : 'warn'
        log[level]({ registry: place() }, `the registry is not reached: ${state.reason}`)
      } else if (before?.status === 'down') {
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
      for (const { wanted, isReplaced } of entries.values())
        registrar.put(wanted.registration, isReplaced ? 'unless foreign' : 'overwrite')
    } catch (error) {
      log.error({ err: error }, 'the client of the registry cannot be opened; it is tried again')
      retry = setTimeout(() => {
        turn = turn.then(openOne)
      }, OPEN_AGAIN_MS)
    }
  }

  function takeOne(): Registrar | null {
    const taken = registrar
    registrar = null
    link = null
    linkDownSince = null
    return taken
  }

  async function abandonOne(): Promise<void> {
    const late = new AbortController()
    await Promise.race([
      takeOne()?.abandon(),
      pause(ABANDON_WITHIN_MS, null, { signal: late.signal }).catch(() => {}),
    ])
    late.abort()
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
      await abandonOne()
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
      entries.set(nameOf(wanted.registration), { wanted, missingSince: now(), isReplaced: false })
      registrar?.put(wanted.registration)
    },
    async remove(registration) {
      const name = nameOf(registration)
      if (entries.get(name)?.wanted.registration !== registration) return
      entries.delete(name)
      if (registrar === null) await turn
      // Meanwhile it may be wanted again.
      if (!entries.has(name)) await registrar?.remove(registration)
    },
    async close(withinMs) {
      isClosed = true
      clearInterval(looking)
      clearTimeout(retry)
      await turn
      await takeOne()?.close(withinMs)
    },
  }
}

function nameOf({ service, id }: RegistrationKey): string {
  return `${service}/${id}`
}
