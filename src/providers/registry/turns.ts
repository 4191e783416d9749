/** The endpoints of one registry, used in turn: after a lost connection the next one is tried. */
import { errorOf } from '../../model/error-message.ts'
import { SourceRefused } from '../provider.ts'

export interface Turns {
  /**
   * The result of the first endpoint for which `attempt` succeeds, starting after the last one used. If one refuses it, the
   * others are not tried, because they would refuse as well. Otherwise throws what all of them threw.
   */
  first<T>(attempt: (endpoint: string) => Promise<T>, signal?: AbortSignal): Promise<T>
}

/** `random`: from 0 up to 1, so that many programs do not all use the first one. */
export function createTurns(endpoints: readonly string[], random: () => number): Turns {
  let at = Math.floor(random() * endpoints.length)

  return {
    async first(attempt, signal) {
      const failures: Error[] = []
      for (const _ of endpoints) {
        const endpoint = endpoints[at++ % endpoints.length]
        if (endpoint === undefined) break
        try {
          return await attempt(endpoint)
        } catch (error) {
          if (error instanceof SourceRefused || signal?.aborted === true) throw error
          failures.push(errorOf(error))
        }
      }
      const [first] = failures
      if (failures.length === 1 && first !== undefined) throw first
      throw new AggregateError(failures, failures.map(({ message }) => message).join('; '))
    },
  }
}
