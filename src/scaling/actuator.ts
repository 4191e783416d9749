/**
 * What changes the number of replicas. A kind is one file of `actuators/`, and one line in its list. The caller must bound the
 * time of every call by its signal, and must not call `setReplicas` again before the last call has ended.
 */
import type { ActuatorSpec } from '../model/actuator-spec.ts'
import type { SourceSpec } from '../model/settings.ts'
import type { Log } from '../observe/log.ts'
import type { Rotation } from './rotation.ts'

export interface Actuator {
  /**
   * Has the provider run so many replicas, 0 or more. The same number again changes nothing. Resolves when the provider has
   * accepted it, not when they run. Rejects with an Error whose message says what could not be done and why, in one line.
   */
  setReplicas(replicas: number, signal: AbortSignal): Promise<void>
  /**
   * The number of replicas that the provider wants or has accepted, not what was set here. Null: it does not say, and nothing
   * is decided. Rejects as `setReplicas` does if it cannot be asked.
   */
  observed(signal: AbortSignal): Promise<number | null>
  /** Ends what it has open. The replicas stay, but for those that are its own processes. */
  close(): Promise<void>
}

export interface ActuatorContext {
  /** The id of the backend. */
  readonly backend: string
  /** The sources of the settings, with the text of the files that they name. */
  readonly sources: readonly SourceSpec[]
  /** The settings' file, where relative paths start. */
  readonly config: string
  /** Replicas in the table that take requests now, for providers that do not say. */
  readonly ready: () => number
  /** Its servers: an actuator that chooses which of them stop takes these out of rotation first. */
  readonly rotation: Rotation
  /** This program goes on with what another one has started, which still runs (a live upgrade). Not in a dry run. */
  readonly replaces: boolean
  readonly log: Log
}

/** Rejects if it cannot be opened, with a message as `Actuator` has it. Such an actuator is opened again later. */
export type OpenActuator = (spec: ActuatorSpec, context: ActuatorContext) => Promise<Actuator>
