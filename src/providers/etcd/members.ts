/** The members of a cluster, used in turn: after a lost session the next member is tried. */
import type { EtcdSource } from './source.ts'
import { SourceRefused } from '../provider.ts'
import { locate, openSession } from './session.ts'
import type { Login, Session } from './session.ts'

export interface OpenedSession<T> {
  readonly session: Session
  readonly result: T
}

export interface Members {
  /**
   * Opens a session with the first member for which `begin` succeeds, starting after the last one used. If a member refuses
   * us, the others are not tried, because they would refuse as well.
   */
  open<T>(begin: (session: Session) => Promise<T>, signal?: AbortSignal): Promise<OpenedSession<T>>
}

export function createMembers(spec: EtcdSource, random: () => number): Members {
  const { endpoints, username, password } = spec
  const login: Login = { username, password, token: null }
  let at = Math.floor(random() * endpoints.length)

  return {
    async open(begin, signal) {
      const failures: Error[] = []
      for (const _ of endpoints) {
        const endpoint = endpoints[at++ % endpoints.length]
        if (endpoint === undefined) break
        const place = await locate(endpoint).catch((error: unknown) => error)
        if (typeof place !== 'string') {
          failures.push(place instanceof Error ? place : new Error(String(place)))
          continue
        }
        signal?.throwIfAborted()
        const session = openSession(spec, endpoint, login, place)
        const close = (): void => session.close()
        signal?.addEventListener('abort', close)
        try {
          return { session, result: await begin(session) }
        } catch (error) {
          session.close()
          if (error instanceof SourceRefused || signal?.aborted === true) throw error
          failures.push(error instanceof Error ? error : new Error(String(error)))
        } finally {
          signal?.removeEventListener('abort', close)
        }
      }
      const [first] = failures
      if (failures.length === 1 && first !== undefined) throw first
      throw new AggregateError(failures, failures.map(({ message }) => message).join('; '))
    },
  }
}
