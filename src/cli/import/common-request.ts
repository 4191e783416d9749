/** A request that two routes of vulcand both match, if one is easily found. */
import { quote } from '../../model/parsed.ts'
import type { Literal } from '../../routing/alternatives.ts'
import { matchesPath, matchesText, type Matcher, type Subject } from '../../routing/expression.ts'
import { ANY, INT, LABELS, REST } from '../../routing/pattern.ts'
import type { RoutableRequest } from '../../routing/request.ts'
import { isTextMatcher } from '../../routing/rule.ts'

/** Null: there is none, or it is not found. */
export function commonRequest(
  one: readonly Literal[],
  other: readonly Literal[],
): RoutableRequest | null {
  const all = [...one, ...other]
  const host = valueOf(all, 'host', 'any.example')
  const path = valueOf(all, 'path', '/')
  const method = valueOf(all, 'method', 'GET')
  if (host === null || path === null || method === null) return null
  const fields = new Map<string, string>()
  const names = new Set(all.flatMap(({ term }) => (term.subject === 'header' ? [term.name] : [])))
  for (const name of names) {
    const value = valueOf(
      all.filter(({ term }) => term.name === name),
      'header',
      '',
    )
    if (value === null) return null
    fields.set(name, value)
  }
  return new CommonRequest(host, path, method, fields)
}

export function describeRequest(request: RoutableRequest): string {
  const { method, host, path } = request
  const fields =
    request instanceof CommonRequest
      ? [...request.fields].map(([name, value]) => ` with ${name}: ${quote(value)}`).join('')
      : ''
  return `${method} ${host === 'any.example' ? '' : host}${path}${fields}`
}

class CommonRequest implements RoutableRequest {
  readonly host: string
  readonly path: string
  readonly method: string
  readonly fields: ReadonlyMap<string, string>
  readonly listener = ''
  readonly query = ''
  readonly clientIp = '192.0.2.1'

  constructor(host: string, path: string, method: string, fields: ReadonlyMap<string, string>) {
    this.host = host
    this.path = path
    this.method = method
    this.fields = fields
  }

  fieldHolds(name: string, test: (value: string) => boolean): boolean {
    return test(this.fields.get(name) ?? '')
  }
}

/** A text that all comparisons of the subject accept. */
function valueOf(literals: readonly Literal[], subject: Subject, normal: string): string | null {
  const terms = literals.filter(({ term }) => term.subject === subject).map(({ term }) => term)
  if (terms.length === 0) return normal
  const matchers = terms.map(({ values }) => values.filter(isTextMatcher))
  const candidates = [normal, ...matchers.flat().flatMap(candidatesOf)]
  const found = candidates.find((text) =>
    matchers.every((any) =>
      any.some((one) => (subject === 'path' ? matchesPath(one, text) : matchesText(one, text))),
    ),
  )
  return found ?? null
}

/** Texts that the comparison may accept. */
function candidatesOf(matcher: Matcher): readonly string[] {
  switch (matcher.kind) {
    case 'literal':
    case 'prefix':
      return [matcher.text]
    case 'pattern':
      return [
        matcher.elements
          .map((element) => {
            if (typeof element === 'string') return element
            return WILDCARDS.get(element) ?? 'x'
          })
          .join(''),
      ]
    case 'regexp':
      return fromRegexp(matcher.text)
    case 'network':
    case 'present':
      return []
    default:
      return matcher satisfies never
  }
}

const WILDCARDS = new Map<number, string>([
  [ANY, 'x'],
  [INT, '1'],
  [REST, 'x'],
  [LABELS, 'x'],
])

/** Simple ones only: with anything in place of `.*` and of classes. */
function fromRegexp(text: string): readonly string[] {
  const plain = text
    .replace(/^\^|\$$/g, '')
    .replace(/\([^()]*\)[*?]?/g, '')
    .replace(/\[[^\]]*\][+*?]?|\.[+*?]?|\\[dw][+*?]?/g, (part) =>
      part.includes('d') || part.includes('0') ? '1' : 'x',
    )
    .replace(/\\(.)/g, '$1')
  return [plain, `/${plain}`, plain.replace(/x/g, '')]
}
