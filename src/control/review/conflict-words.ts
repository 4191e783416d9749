/** How a conflict of two objects over names is described. */
import { quote } from '../../model/parsed.ts'
import type { Diagnostic } from './diagnostic.ts'

const SHOWN_NAMES = 3

export function listNames(names: readonly string[]): string {
  const left = names.length - SHOWN_NAMES
  const shown = names.slice(0, SHOWN_NAMES).join(', ')
  return left > 0 ? `${shown} and ${left} more` : shown
}

/** `object` as a problem of `other` names it. */
export function nameOther(object: Diagnostic['object'], other: Diagnostic['object']): string {
  const of = object.source === other.source ? '' : ` of source ${quote(object.source)}`
  return `${object.kind} ${quote(object.id)}${of}`
}
