/**
 * Handling of the proxy's own faults. Every callback of a socket, timer or deadline belongs to one exchange or connection. An
 * exception in it is passed to that one's `fault`, which ends it and releases what it holds. The thread and all other connections
 * are not affected.
 */
export interface Faultable {
  fault(error: unknown): void
}

/** Runs every step, even if others throw. */
export function allOf(onFault: (error: unknown) => void, ...steps: readonly (() => void)[]): void {
  for (const step of steps) {
    try {
      step()
    } catch (error) {
      onFault(error)
    }
  }
}
