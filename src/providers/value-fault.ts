/** What a layout makes of what stands in a registry. */

/** Why a value cannot be read; never leaves the layout. */
export class ValueFault extends Error {
  override readonly name = 'ValueFault'
}

/** In the form of our own file. */
export interface Translated {
  readonly value: unknown
  readonly remarks: readonly string[]
  readonly secrets?: readonly string[]
}
