/** Of several instances, one acts. */

export interface ActingLock {
  /** Whether this instance may change numbers of replicas now. False while the registry cannot be reached. */
  isActing(): boolean
  /** The name of the instance that acts; null: none is known. */
  holder(): string | null
  /** Why no instance is known to act, or null: the registry is away, or refuses. */
  problem(): string | null
  /** Gives it up, so that another instance takes over at once. */
  close(): Promise<void>
}

/** For a program alone. */
export const ALONE: ActingLock = {
  isActing: () => true,
  holder: () => null,
  problem: () => null,
  close: () => Promise.resolve(),
}
