/** Sessions with the members of a cluster, which are used in turn. */
import type { EtcdAccess } from './source.ts'
import { createTurns } from '../registry/turns.ts'
import { locate, openSession } from './session.ts'
import type { Login, Session } from './session.ts'

export interface OpenedSession<T> {
  readonly session: Session
  readonly result: T
}

export interface Members {
  /** Opens a session with the first member for which `begin` succeeds. */
  open<T>(begin: (session: Session) => Promise<T>, signal?: AbortSignal): Promise<OpenedSession<T>>
}

/** `timeoutMs`: of each call; by default that of sources. */
export function createMembers(spec: EtcdAccess, random: () => number, timeoutMs?: number): Members {
  const { endpoints, username, password } = spec
  const login: Login = { username, password, token: null }
  const turns = createTurns(endpoints, random)

  return {
    open: (begin, signal) =>
      turns.first(async (endpoint) => {
        const place = await locate(endpoint)
        signal?.throwIfAborted()
        const session = openSession(spec, endpoint, login, place, timeoutMs)
        const close = (): void => session.close()
        signal?.addEventListener('abort', close)
        try {
          return { session, result: await begin(session) }
        } catch (error) {
          session.close()
          throw error
        } finally {
          signal?.removeEventListener('abort', close)
        }
      }, signal),
  }
}
