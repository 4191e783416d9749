/**
 * Translates templates of Traefik 2 to regular expressions: `{name:expression}` matches the expression, `{name}` a whole label
 * or segment, everything else itself. They are gorilla/mux's templates and translated like there (newRouteRegexp), without
 * the names.
 */
import { quote } from '../../../model/parsed.ts'
import { escapeRegexp } from '../../route-terms.ts'
import { TranslationError } from '../translation.ts'

export type TemplateOf = 'host' | 'path' | 'prefix'

/** Tests if braces are a template. In a regular expression they are a count, as in `[a-z]{2,3}`, or literal. */
export function isTemplate(text: string): boolean {
  return /\{[A-Za-z_]/.test(text)
}

export function templateRegexp(template: string, of: TemplateOf): string {
  let expression = '^'
  let at = 0
  while (at < template.length) {
    const open = template.indexOf('{', at)
    const literal = template.slice(at, open < 0 ? template.length : open)
    if (literal.includes('}')) throw unbalanced(template)
    expression += escapeRegexp(literal)
    if (open < 0) break
    const close = closingBrace(template, open)
    if (close < 0) throw unbalanced(template)
    expression += `(?:${expressionOf(template.slice(open + 1, close), template, of)})`
    at = close + 1
  }
  return of === 'prefix' ? expression : `${expression}$`
}

/** Version 3 has no templates: braces are literal. */
export function literalRegexp(text: string, of: TemplateOf): string {
  return `^${escapeRegexp(text)}${of === 'prefix' ? '' : '$'}`
}

function expressionOf(inner: string, template: string, of: TemplateOf): string {
  const colon = inner.indexOf(':')
  if (colon < 0 && inner !== '') return of === 'host' ? '[^.]+' : '[^/]+'
  if (colon > 0 && colon < inner.length - 1) return inner.slice(colon + 1)
  throw new TranslationError(`rule: ${quote(template)} has braces without a name or an expression`)
}

/** The expression may contain braces. */
function closingBrace(text: string, open: number): number {
  let depth = 0
  for (let at = open; at < text.length; at += 1) {
    if (text[at] === '{') depth += 1
    else if (text[at] === '}' && --depth === 0) return at
  }
  return -1
}

function unbalanced(template: string): TranslationError {
  return new TranslationError(
    `rule: ${quote(template)} has a brace that is not closed, or not opened`,
  )
}
