/**
 * Where faults of our own are caught. What a socket, a timer or a deadline starts belongs to one exchange or one connection;
 * what it throws comes to the `fault` of that one, which ends it and gives back what it holds, and nothing else: the thread and
 * all other connections go on.
 */
export interface Faultable {
  fault(error: unknown): void
}

/** Takes every step, also where others throw. */
export function allOf(onFault: (error: unknown) => void, ...steps: readonly (() => void)[]): void {
  for (const step of steps) {
    try {
      step()
    } catch (error) {
      onFault(error)
    }
  }
}
