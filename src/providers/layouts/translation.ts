/** The results of translating a value of another proxy's layout. */
import type { FailClosed } from '../fail-closed.ts'

/** Why a value cannot be translated. Layouts catch it. */
export class TranslationError extends Error {
  override readonly name = 'ValueFault'
}

/** The main key is missing, so nothing is declared. Layouts catch it. */
export class NotDeclared extends Error {
  override readonly name = 'NotDeclared'
}

/** An object in the form of Sluice's own file. */
export interface Translation {
  readonly value: unknown
  readonly closed?: FailClosed
  readonly remarks: readonly string[]
  readonly secrets?: readonly string[]
  /** Of a route for some clients only: a frontend that refuses the others. */
  readonly refusal?: unknown
  /** Of a route whose hosts have TLS options of their own: the host with them, and what replaces it if it is rejected. */
  readonly host?: { readonly value: unknown; readonly closed?: FailClosed }
}
