/** Loads a module that only some configurations need when it is first needed. */
import { messageOf } from './error-message.ts'

export interface OnDemand<T> {
  /** Rejects with the reason and what helps; the next call tries again. */
  load(): Promise<T>
  /** Throws the reason if it is not loaded. */
  loaded(): T
}

export function onDemand<T>(what: string, importIt: () => Promise<T>): OnDemand<T> {
  let loading: Promise<T> | null = null
  let module: T | null = null
  let problem = new Error(`${what} is not loaded`)

  async function load(): Promise<T> {
    try {
      module = await importIt()
      return module
    } catch (cause) {
      loading = null
      const reason = messageOf(cause)
      const help = 'install the packages of Sluice again (npm ci)'
      problem = new Error(`cannot load ${what}: ${reason}; ${help}`, { cause })
      throw problem
    }
  }

  return {
    load: () => (loading ??= load()),
    loaded() {
      if (module === null) throw problem
      return module
    },
  }
}
