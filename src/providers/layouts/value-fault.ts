/** What a layout makes of what stands in a registry. */
import type { Closed } from '../closed.ts'

/** Why a value cannot be read; never leaves the layout. */
export class ValueFault extends Error {
  override readonly name = 'ValueFault'
}

/** Its main key is not there, so that it declares nothing; never leaves the layout. */
export class NotDeclared extends Error {
  override readonly name = 'NotDeclared'
}

/** In the form of our own file. */
export interface Translated {
  readonly value: unknown
  readonly closed?: Closed
  readonly remarks: readonly string[]
  readonly secrets?: readonly string[]
}
