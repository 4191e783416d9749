/** A number of replicas that an operator or a monitoring system asks for. */
export const SCALE_INPUTS = ['api', 'orbiter', 'alertmanager', 'prometheus'] as const

export type ScaleInput = (typeof SCALE_INPUTS)[number]

export interface ScaleRequest {
  readonly backend: string
  /** Of `delta`: from the number that was asked for before, or that there is. */
  readonly to: { readonly replicas: number } | { readonly delta: number }
  readonly input: ScaleInput
  /** For people, in one line: the alert, the query, the client. Longer ones are cut to 200 characters. */
  readonly reason: string
  /** How long it is kept, ms; null: `inputs.holdMs` of the backend. */
  readonly forMs: number | null
  /** Nothing is asked for: the answer says what would be. Absent: it is. */
  readonly dryRun?: boolean
}

export type ScaleAnswer =
  | {
      readonly taken: true
      /** What is asked for from now on, within `min` and `max`. */
      readonly replicas: number
      /** Why it has no effect on the provider here and now, such as a dry run; null: it has. */
      readonly waits: string | null
    }
  /** Nothing changes. `isUnknown`: there is no such backend, or it has no `scale`. */
  | { readonly taken: false; readonly refused: string; readonly isUnknown: boolean }

/** Takes a request at once, without waiting for the next tick. */
export type RequestScale = (request: ScaleRequest) => ScaleAnswer
