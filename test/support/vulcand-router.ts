/**
 * A plain model of the router of vulcand, written from the description of its order: the texts of all routes are sorted from the
 * last to the first by their bytes, neighbours whose terms compare the same things without expressions share a trie, and the
 * first that matches takes the request. The trie has a node for each character and each pattern, and tries children in the order
 * in which they came.
 *
 * `moves`: as in vulcand, a branch that a second route shares moves before its siblings.
 */

export interface ModelTerm {
  readonly fn: string
  /** Of a header; else ''. */
  readonly name: string
  readonly value: string
}

export interface ModelRequest {
  readonly host: string
  readonly path: string
  readonly method: string
  /** Of the only header that terms name. */
  readonly header: string
}

const SEPARATORS: Readonly<Record<string, string>> = {
  Host: '.',
  Path: '/',
  Header: '/',
  Method: ' ',
}
const END = 'end'

export function textOf(terms: readonly ModelTerm[]): string {
  const call = ({ fn, name, value }: ModelTerm): string =>
    name === '' ? `${fn}("${value}")` : `${fn}("${name}", "${value}")`
  return terms.map(call).join(' && ')
}

export class VulcandRouter {
  readonly #matchers: (Trie | Alone)[] = []

  constructor(routes: readonly (readonly ModelTerm[])[], moves: boolean) {
    const texts = new Map(routes.map((terms) => [textOf(terms), terms]))
    const byBytes = [...texts].sort(([one], [other]) =>
      Buffer.from(other).compare(Buffer.from(one)),
    )
    for (const [text, terms] of byBytes) {
      const last = this.#matchers.at(-1)
      if (terms.some(({ fn }) => fn.endsWith('Regexp'))) this.#matchers.push(new Alone(text, terms))
      else if (last instanceof Trie && last.takes(terms)) last.add(text, terms)
      else this.#matchers.push(new Trie(text, terms, moves))
    }
  }

  /** The text of the route that takes the request. */
  match(request: ModelRequest): string | undefined {
    for (const matcher of this.#matchers) {
      const text = matcher.match(request)
      if (text !== undefined) return text
    }
    return undefined
  }
}

function valueOf({ fn }: ModelTerm, request: ModelRequest): string {
  switch (fn.replace('Regexp', '')) {
    case 'Host':
      return request.host
    case 'Path':
      return request.path
    case 'Method':
      return request.method
    default:
      return request.header
  }
}

class Alone {
  readonly #text: string
  readonly #terms: readonly ModelTerm[]

  constructor(text: string, terms: readonly ModelTerm[]) {
    this.#text = text
    this.#terms = terms
  }

  match(request: ModelRequest): string | undefined {
    const holds = this.#terms.every((term) => {
      const value = valueOf(term, request)
      if (term.fn.endsWith('Regexp')) return new RegExp(term.value).test(value)
      return new Trie('it', [term], false).match(request) !== undefined
    })
    return holds ? this.#text : undefined
  }
}

interface Node {
  readonly token: string
  readonly children: Node[]
  text?: string
}

class Trie {
  readonly #root: Node = { token: '', children: [] }
  readonly #terms: readonly ModelTerm[]
  readonly #moves: boolean

  constructor(text: string, terms: readonly ModelTerm[], moves: boolean) {
    this.#terms = terms
    this.#moves = moves
    this.add(text, terms)
  }

  takes(terms: readonly ModelTerm[]): boolean {
    const isSame = ({ fn, name }: ModelTerm, at: number): boolean =>
      terms[at]?.fn === fn && terms[at].name === name
    return terms.length === this.#terms.length && this.#terms.every(isSame)
  }

  add(text: string, terms: readonly ModelTerm[]): void {
    let node = this.#root
    for (const token of terms.flatMap(tokensOf)) {
      const { children } = node
      const at = children.findIndex((child) => child.token === token)
      const next = children[at] ?? { token, children: [] }
      if (at < 0) children.push(next)
      else if (this.#moves) children.unshift(...children.splice(at, 1))
      node = next
    }
    node.text ??= text
  }

  match(request: ModelRequest): string | undefined {
    return this.#below(this.#root, request, 0, 0)
  }

  #below(node: Node, request: ModelRequest, level: number, at: number): string | undefined {
    const term = this.#terms[level]
    if (term === undefined) return node.text
    const value = valueOf(term, request)
    for (const child of node.children) {
      const end = endOf(child.token, value, at, SEPARATORS[term.fn] ?? '')
      if (end < 0) continue
      const isOver = child.token === END
      const found = this.#below(child, request, isOver ? level + 1 : level, isOver ? 0 : end)
      if (found !== undefined) return found
    }
    return undefined
  }
}

function tokensOf({ fn, value }: ModelTerm): string[] {
  const pattern = fn === 'Host' ? value.toLowerCase() : value
  return [...(pattern.match(/<[^>]+>|[^]/g) ?? []), END]
}

/** Where the token ends that begins at `at`; -1: it does not match. */
function endOf(token: string, value: string, at: number, separator: string): number {
  if (token === END) return at === value.length ? at : -1
  if (token.length === 1) return value[at] === token ? at + 1 : -1
  if (token.startsWith('<path:')) return value.length
  const next = value.indexOf(separator, at)
  const end = next < 0 ? value.length : next
  if (!token.startsWith('<int:')) return end
  return /^\d+$/.test(value.slice(at, end)) ? end : -1
}
