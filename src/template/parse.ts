/** From the items of a template to its tree, by the grammar of Go's text/template/parse. */
import { parseCharacter, parseNumber, unquote } from './constant.ts'
import { lex, type Item } from './lexer.ts'
import type { BranchNode, Command, Node, Operand, Pipe, Templates } from './tree.ts'
import { TemplateError } from './value.ts'

type End = 'end' | 'else' | 'end of text'

/** How deep lists and parentheses may lie in each other. */
const MAX_DEPTH = 200

/**
 * Parses `text` as the template `name`. `functions` are the names that it may call.
 * @throws {TemplateError} with the line, where the text is no template
 */
export function parseTemplate(
  text: string,
  name: string,
  functions: ReadonlySet<string>,
): Templates {
  const templates = new Map<string, readonly Node[]>()
  const parser = createParser([...lex(text)], functions, (defined, list) => {
    define(templates, defined, list)
  })
  const list = parser.parseText()
  define(templates, name, list)
  return templates
}

/** An empty definition changes nothing, and a second one of a name is a fault. */
function define(
  templates: Map<string, readonly Node[]>,
  name: string,
  list: readonly Node[],
): void {
  const before = templates.get(name)
  if (before === undefined || isEmpty(before)) templates.set(name, list)
  else if (!isEmpty(list)) throw new TemplateError(`multiple definition of template "${name}"`)
}

function isEmpty(list: readonly Node[]): boolean {
  return list.every((node) => node.kind === 'text' && node.text.trim() === '')
}

interface Parser {
  parseText(): readonly Node[]
}

function createParser(
  items: readonly Item[],
  functions: ReadonlySet<string>,
  defineTemplate: (name: string, list: readonly Node[]) => void,
): Parser {
  let at = 0
  let variables: string[] = ['$']
  let ranges = 0
  let depth = 0

  function parseText(): readonly Node[] {
    const list: Node[] = []
    while (peek().kind !== 'end of text') {
      if (peek().kind === 'left delimiter' && isKeyword(afterSpace(at + 1), 'define')) {
        parseDefinition()
        continue
      }
      const node = parseNode()
      if (typeof node === 'string') fail(`unexpected {{${node}}}`)
      list.push(node)
    }
    return list
  }

  function parseDefinition(): void {
    at = indexAfterSpace(at + 1) + 1
    const name = parseName('define clause')
    expect('right delimiter', 'define clause')
    const { list, end } = inOwnScope(() => parseList())
    if (end !== 'end') fail(`unexpected {{${end}}} in define clause`)
    defineTemplate(name, list)
  }

  /** A template of its own: it sees no variable, and no range, of what is around it. */
  function inOwnScope<T>(parse: () => T): T {
    const outer = { variables, ranges }
    variables = ['$']
    ranges = 0
    const parsed = parse()
    ;({ variables, ranges } = outer)
    return parsed
  }

  function parseList(): { list: readonly Node[]; end: 'end' | 'else' } {
    if (++depth > MAX_DEPTH) fail(`lists lie deeper than ${MAX_DEPTH} in each other`)
    const list: Node[] = []
    while (peekPastSpace().kind !== 'end of text') {
      const node = parseNode()
      if (typeof node !== 'string') list.push(node)
      else {
        depth--
        return { list, end: node }
      }
    }
    const { line } = peek()
    throw new TemplateError(`line ${line}: unexpected end of the text: an {{end}} is missing`)
  }

  /** A node, or the word that ends a list. */
  function parseNode(): Node | Exclude<End, 'end of text'> {
    const item = next()
    if (item.kind === 'text') return { kind: 'text', text: item.text }
    if (item.kind !== 'left delimiter') return unexpected(item, 'input')
    const first = peekPastSpace()
    if (first.kind !== 'keyword') {
      return { kind: 'action', line: first.line, pipe: parsePipe('command', 'right delimiter') }
    }
    at = indexAfterSpace(at) + 1
    switch (first.text) {
      case 'if':
      case 'range':
      case 'with':
        return parseBranch(first.text, first.line)
      case 'template':
        return parseCall(first.line)
      case 'block':
        return parseBlock(first.line)
      case 'break':
      case 'continue':
        if (ranges === 0) fail(`{{${first.text}}} outside {{range}}`)
        expect('right delimiter', `{{${first.text}}}`)
        return { kind: first.text }
      case 'end':
        expect('right delimiter', 'end')
        return 'end'
      case 'else':
        // Of `else if` the `if` is left to the branch that this ends.
        if (!isKeyword(peekPastSpace(), 'if')) expect('right delimiter', 'else')
        return 'else'
      default:
        return unexpected(first, 'command')
    }
  }

  function parseBranch(kind: BranchNode['kind'], line: number): BranchNode {
    const outer = variables.length
    const pipe = parsePipe(kind, 'right delimiter')
    if (kind === 'range') ranges++
    const { list, end } = parseList()
    if (kind === 'range') ranges--
    const otherwise = end === 'else' ? parseElse(kind) : null
    variables.length = outer
    return { kind, line, pipe, list, otherwise }
  }

  function parseElse(kind: BranchNode['kind']): readonly Node[] {
    const item = peekPastSpace()
    if (kind === 'if' && isKeyword(item, 'if')) {
      at = indexAfterSpace(at) + 1
      if (++depth > MAX_DEPTH) fail(`branches lie deeper than ${MAX_DEPTH} in each other`)
      const branch = parseBranch('if', item.line)
      depth--
      return [branch]
    }
    const { list, end } = parseList()
    if (end !== 'end') fail('expected {{end}}, found {{else}}')
    return list
  }

  function parseCall(line: number): Node {
    const name = parseName('template clause')
    if (peekPastSpace().kind === 'right delimiter') {
      next()
      return { kind: 'template', line, name, pipe: null }
    }
    return { kind: 'template', line, name, pipe: parsePipe('template clause', 'right delimiter') }
  }

  function parseBlock(line: number): Node {
    const name = parseName('block clause')
    const pipe = parsePipe('block clause', 'right delimiter')
    const { list, end } = inOwnScope(() => parseList())
    if (end !== 'end') fail('unexpected {{else}} in block clause')
    defineTemplate(name, list)
    return { kind: 'template', line, name, pipe }
  }

  function parseName(context: string): string {
    const item = next()
    if (item.kind !== 'string' && item.kind !== 'raw string') return unexpected(item, context)
    return withLine(item, () => unquote(item.text))
  }

  function parsePipe(context: string, end: Item['kind']): Pipe {
    const { isAssignment, declared } = parseVariables(context)
    const commands: Command[] = []
    for (;;) {
      const item = next()
      if (item.kind === end) break
      if (!isOperandStart(item)) return unexpected(item, context)
      at--
      commands.push(parseCommand())
    }
    if (commands.length === 0) fail(`missing value for ${context}`)
    const stage = commands.findIndex(([first], index) => index > 0 && !isCallable(first))
    if (stage !== -1) fail(`non executable command in pipeline stage ${stage + 1}`)
    return { kind: 'pipe', isAssignment, variables: declared, commands }
  }

  /** `$a :=`, `$a =`, and of a range `$a, $b :=`. */
  function parseVariables(context: string): {
    isAssignment: boolean
    declared: readonly string[]
  } {
    const declared: string[] = []
    for (;;) {
      const variable = peekPastSpace()
      if (variable.kind !== 'variable') return { isAssignment: false, declared }
      const start = indexAfterSpace(at)
      const sign = afterSpace(start + 1)
      if (sign.kind === 'assign' || sign.kind === 'declare') {
        at = indexAfterSpace(start + 1) + 1
        declared.push(variable.text)
        variables.push(variable.text)
        return { isAssignment: sign.kind === 'assign', declared }
      }
      if (sign.kind !== 'char' || sign.text !== ',') return { isAssignment: false, declared }
      at = indexAfterSpace(start + 1) + 1
      declared.push(variable.text)
      variables.push(variable.text)
      const follows = peekPastSpace().kind
      if (context !== 'range' || declared.length > 1) fail(`too many declarations in ${context}`)
      if (!['variable', 'right delimiter', 'right parenthesis'].includes(follows))
        fail('range can only initialize variables')
    }
  }

  function parseCommand(): Command {
    const operands: Operand[] = []
    for (;;) {
      at = indexAfterSpace(at)
      const operand = parseOperand()
      if (operand !== null) operands.push(operand)
      const item = items[at]
      if (item?.kind === 'space') {
        at++
        continue
      }
      if (item?.kind === 'pipe') at++
      else if (item?.kind !== 'right delimiter' && item?.kind !== 'right parenthesis')
        return unexpected(item ?? peek(), 'operand')
      break
    }
    const [first, ...others] = operands
    return first === undefined ? fail('empty command') : [first, ...others]
  }

  function parseOperand(): Operand | null {
    const term = parseTerm()
    if (term === null || items[at]?.kind !== 'field') return term
    const names: string[] = []
    for (; items[at]?.kind === 'field'; at++) names.push(items[at]?.text.slice(1) ?? '')
    switch (term.kind) {
      case 'field':
        return { kind: 'field', names: [...term.names, ...names] }
      case 'variable':
        return { ...term, names: [...term.names, ...names] }
      case 'pipe':
      case 'identifier':
        return { kind: 'chain', of: term, names }
      default:
        return fail('unexpected . after a term that has no fields')
    }
  }

  function parseTerm(): Operand | null {
    const item = items[at]
    if (item === undefined || !isOperandStart(item)) return null
    at++
    switch (item.kind) {
      case 'identifier':
        if (!functions.has(item.text)) fail(`function "${item.text}" not defined`)
        return { kind: 'identifier', name: item.text }
      case 'dot':
        return { kind: 'dot' }
      case 'nil':
        return { kind: 'nil' }
      case 'variable':
        if (!variables.includes(item.text)) fail(`undefined variable "${item.text}"`)
        return { kind: 'variable', name: item.text, names: [] }
      case 'field':
        return { kind: 'field', names: [item.text.slice(1)] }
      case 'bool':
        return { kind: 'bool', value: item.text === 'true' }
      case 'character':
        return { kind: 'number', number: withLine(item, () => parseCharacter(item.text)) }
      case 'number':
        return { kind: 'number', number: withLine(item, () => parseNumber(item.text)) }
      case 'left parenthesis': {
        if (++depth > MAX_DEPTH) fail(`parentheses lie deeper than ${MAX_DEPTH} in each other`)
        const pipe = parsePipe('parenthesized pipeline', 'right parenthesis')
        depth--
        return pipe
      }
      default:
        return { kind: 'string', value: withLine(item, () => unquote(item.text)) }
    }
  }

  function peek(): Item {
    const item = items[at] ?? items.at(-1)
    if (item === undefined) throw new Error('the lexer ends with an item')
    return item
  }

  function indexAfterSpace(from: number): number {
    return items[from]?.kind === 'space' ? from + 1 : from
  }

  function afterSpace(from: number): Item {
    return items[indexAfterSpace(from)] ?? peek()
  }

  function peekPastSpace(): Item {
    return afterSpace(at)
  }

  function next(): Item {
    at = indexAfterSpace(at)
    const item = peek()
    at++
    return item
  }

  function expect(kind: Item['kind'], context: string): void {
    const item = next()
    if (item.kind !== kind) unexpected(item, context)
  }

  function unexpected(item: Item, context: string): never {
    const what = item.kind === 'end of text' ? 'end of the text' : JSON.stringify(item.text)
    throw new TemplateError(`line ${item.line}: unexpected ${what} in ${context}`)
  }

  function fail(why: string): never {
    throw new TemplateError(`line ${(items[at - 1] ?? peek()).line}: ${why}`)
  }

  return { parseText }
}

function withLine<T>(item: Item, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error
    throw new TemplateError(`line ${item.line}: ${error.message}`)
  }
}

function isKeyword(item: Item, word: string): boolean {
  return item.kind === 'keyword' && item.text === word
}

const OPERANDS: ReadonlySet<Item['kind']> = new Set([
  ...(['bool', 'character', 'dot', 'field', 'identifier', 'number', 'nil'] as const),
  ...(['raw string', 'string', 'variable', 'left parenthesis'] as const),
])

function isOperandStart(item: Item): boolean {
  return OPERANDS.has(item.kind)
}

/** What may take the value of the command before it. */
function isCallable(operand: Operand): boolean {
  return !['bool', 'dot', 'nil', 'number', 'string'].includes(operand.kind)
}
