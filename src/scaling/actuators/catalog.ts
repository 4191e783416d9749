/** Every kind of actuator, one line each. The clients of a kind are loaded when an actuator of the kind is opened. */
import type { ActuatorSpec } from '../../model/actuator-spec.ts'
import type { Actuator, ActuatorContext } from '../actuator.ts'

/** Rejects if it cannot be opened, with a message as `Actuator` has it. */
export function openActuator(
  { kind }: ActuatorSpec,
  { backend }: ActuatorContext,
): Promise<Actuator> {
  return Promise.reject(
    new Error(
      `backend "${backend}" needs an actuator of kind ${kind}, which this build does not have`,
    ),
  )
}
