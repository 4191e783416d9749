/** How many problems each source has. */
import type { Problem } from '../model/problem.ts'

export function countBySource(problems: readonly Problem[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const { source } of problems) counts.set(source, (counts.get(source) ?? 0) + 1)
  return counts
}
