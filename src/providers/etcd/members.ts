/** The members of a cluster, taken in turn: whoever lost one goes on with another. */
import type { EtcdSource } from './source.ts'
import { SourceRefused } from '../provider.ts'
import { locate, openSession } from './session.ts'
import type { Login, Session } from './session.ts'

export interface Opened<T> {
  readonly session: Session
  readonly begun: T
}

export interface Members {
  /**
   * A session with the first member with which `begin` succeeds, beginning with the one after the last. What one of
   * them refuses they all refuse: the others are not asked.
   */
  open<T>(begin: (session: Session) => Promise<T>, signal?: AbortSignal): Promise<Opened<T>>
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
          return { session, begun: await begin(session) }
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
