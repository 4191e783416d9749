/** What is to be removed from a registry, by its key, until the registry has confirmed that. */
import type { Entry } from './link.ts'
import { RegistrarFailure } from './registrar.ts'

export interface Removal {
  readonly entry: Entry
  /** False: what is to be written in its place is not there yet. */
  readonly isReady: () => boolean
  readonly confirmation: PromiseWithResolvers<void>
  /** After a refusal: it is not tried before. */
  retryAt: number
  /** Why the registry refused it last. */
  refusal: string | null
}

export interface RemovalsOptions {
  /** For messages: `etcd 10.0.0.5:2379`. */
  readonly place: string
  readonly ttlMs: number
}

export class Removals {
  readonly #options: RemovalsOptions
  readonly #byKey = new Map<string, Removal>()

  constructor(options: RemovalsOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#byKey.size
  }

  /** The first time of a try that is not due yet; Infinity: there is none. */
  get retryAt(): number {
    const refused = [...this.#byKey.values()].filter(({ refusal }) => refusal !== null)
    return Math.min(...refused.map(({ retryAt }) => retryAt))
  }

  /** Why one of them was refused; null: none was. */
  get refusal(): string | null {
    return [...this.#byKey.values()].find(({ refusal }) => refusal !== null)?.refusal ?? null
  }

  /**
   * Resolves when the registry has confirmed it, or it is not wanted any more. Rejects with RegistrarFailure if the registry refuses
   * it, which is tried again all the same, or if nothing is tried any more.
   */
  add(entry: Entry, isReady: () => boolean = () => true): Promise<void> {
    const confirmation = Promise.withResolvers<void>()
    // There may be nothing that waits for it.
    confirmation.promise.catch(() => {})
    this.forget(entry)
    this.#byKey.set(entry.key, { entry, isReady, confirmation, retryAt: 0, refusal: null })
    return confirmation.promise
  }

  forget({ key }: Entry): void {
    this.#byKey.get(key)?.confirmation.resolve()
    this.#byKey.delete(key)
  }

  due(now: number): readonly Removal[] {
    return [...this.#byKey.values()].filter(({ isReady, retryAt }) => isReady() && retryAt <= now)
  }

  confirm(removal: Removal): void {
    const { entry, confirmation } = removal
    // It may have been put and removed again meanwhile.
    if (this.#byKey.get(entry.key) === removal) this.#byKey.delete(entry.key)
    confirmation.resolve()
  }

  confirmAll(): void {
    for (const removal of [...this.#byKey.values()]) this.confirm(removal)
  }

  refuse(removal: Removal, reason: string, retryAt: number): void {
    removal.refusal = reason
    removal.retryAt = retryAt
    removal.confirmation.reject(this.#failure(removal, `${reason}; it is tried again`))
  }

  /** None of them is tried any more. */
  end(): void {
    const reason = `its client was closed; it expires after ${this.#options.ttlMs / 1000} s`
    for (const removal of this.#byKey.values())
      removal.confirmation.reject(this.#failure(removal, reason))
  }

  #failure({ entry }: Removal, reason: string): RegistrarFailure {
    return new RegistrarFailure(
      `cannot remove ${entry.name} from ${this.#options.place}: ${reason}`,
    )
  }
}
