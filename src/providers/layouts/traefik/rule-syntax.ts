/** The syntax that a router's rule is in. */
import { TranslationError } from '../translation.ts'
import type { Branch } from './branch.ts'
import type { RuleSyntax } from './rule.ts'

/** Returns the result of `make`, or the reason why it fails. */
export function orReason<T>(make: () => T): T | string {
  try {
    return make()
  } catch (error) {
    if (error instanceof TranslationError) return error.message
    throw error
  }
}

/** Null also for any other value, which closes the router. */
export function ruleSyntax(router: Branch): RuleSyntax {
  const read = orReason(() => router.text('rulesyntax'))
  const syntax = read?.toLowerCase()
  return syntax === 'v2' || syntax === 'v3' ? syntax : null
}
