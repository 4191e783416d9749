/** A listener as admission sees it: parsed by the model, its scope by routing. */
import { flaw, refuse } from '../../model/parsed.ts'
import type { Parsed } from '../../model/parsed.ts'
import { parseListener } from '../../schema/objects.ts'
import type { Listener } from '../../model/snapshot.ts'
import { whyNever } from '../../routing/never.ts'
import { parseRoute } from '../../routing/parse.ts'

export function parseWholeListener(
  id: string,
  value: unknown,
  read: (path: string) => string,
): Parsed<Listener> {
  const parsed = parseListener(id, value, read)
  if (!parsed.ok || parsed.value.scope === null) return parsed
  const expression = parseRoute(parsed.value.scope)
  if (expression.ok) {
    const never = whyNever(expression.expression)
    return never === null ? parsed : refuse([flaw(['scope'], `can never hold: ${never}`)])
  }
  const at = `(at character ${expression.position + 1})`
  return refuse([flaw(['scope'], `${expression.message} ${at}`)])
}
