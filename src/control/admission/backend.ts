/** A backend as admission sees it: parsed by the model, its condition and its predicate by the policies that keep them. */
import { flaw, refuse } from '../../model/parsed.ts'
import type { Flaw, Parsed, Path } from '../../model/parsed.ts'
import { parseBackend } from '../../schema/objects.ts'
import type { Backend, Retry } from '../../model/snapshot.ts'
import { parseCondition } from '../../policy/breaking/condition.ts'
import { parseRetryPredicate } from '../../policy/retrying/retry-predicate.ts'

export function parseWholeBackend(
  id: string,
  value: unknown,
  read: (path: string) => string,
): Parsed<Backend> {
  const parsed = parseBackend(id, value, read)
  if (!parsed.ok) return parsed
  const { breaker, retry } = parsed.value
  const flaws: Flaw[] = refusePredicate(retry)
  const condition = breaker === null ? null : parseCondition(breaker.condition)
  if (condition !== null && !condition.ok) flaws.push(at(['breaker', 'condition'], condition))
  return flaws.length === 0 ? parsed : refuse(flaws)
}

/** What is wrong with when it tries again. */
export function refusePredicate({ when }: Retry): Flaw[] {
  const predicate = when === null ? null : parseRetryPredicate(when)
  return predicate === null || predicate.ok ? [] : [at(['retry', 'when'], predicate)]
}

/** Of a text at `path`; positions are told from 1. */
export function at(
  path: Path,
  wrong: { readonly message: string; readonly position: number },
): Flaw {
  return flaw(path, `${wrong.message} (at character ${wrong.position + 1})`)
}
