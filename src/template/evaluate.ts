/**
 * Evaluates a parsed template over a value, as Go's text/template does. It ends: steps, depth and the length of the text are
 * bounded, so that a template that calls itself or ranges over ranges is an error and not a stall.
 */
import { toText } from './format.ts'
import type { Functions, Parameter, TemplateFunction } from './function.ts'
import { formatMoment } from './moment.ts'
import type { BranchNode, Command, Node, Operand, Pipe, Templates } from './tree.ts'
import {
  Dict,
  isTrue,
  List,
  Moment,
  sortedEntries,
  Struct,
  TemplateError,
  typeOf,
  type Value,
} from './value.ts'

export interface Bounds {
  /** Nodes, commands and turns of ranges. */
  readonly steps: number
  /** Characters of the text. */
  readonly length: number
}

const BOUNDS: Bounds = { steps: 2_000_000, length: 16 * 1024 * 1024 }
/** Templates that call each other, and lists in lists: far below what the stack holds. */
const MAX_DEPTH = 300

/** There is no value from a pipeline; `undefined` is a value that does not exist. */
const NOTHING = Symbol('nothing')

type Final = Value | typeof NOTHING

interface Variable {
  readonly name: string
  value: Value
}

/**
 * Returns the text of the template `name` for `data`.
 * @throws {TemplateError} with the line of the action that fails
 */
export function evaluate(
  templates: Templates,
  name: string,
  data: Value,
  functions: Functions,
  bounds: Bounds = BOUNDS,
): string {
  const pieces: string[] = []
  let length = 0
  let steps = 0
  let depth = 0
  let line = 1
  let variables: Variable[] = []

  function write(text: string): void {
    length += text.length
    if (length > bounds.length) fail(`the text is longer than ${bounds.length} characters`)
    pieces.push(text)
  }

  function step(): void {
    if (++steps > bounds.steps) fail(`the template has not ended after ${bounds.steps} steps`)
  }

  function callTemplate(called: string, dot: Value): void {
    const list = templates.get(called)
    if (list === undefined) fail(`template "${called}" not defined`)
    const outer = variables
    variables = [{ name: '$', value: dot }]
    walk(list, dot)
    variables = outer
  }

  /** Whether a `break` or `continue` ends the lists around it. */
  function walk(list: readonly Node[], dot: Value): 'break' | 'continue' | null {
    if (++depth > MAX_DEPTH) fail(`templates call each other deeper than ${MAX_DEPTH}`)
    for (const node of list) {
      const jump = walkNode(node, dot)
      if (jump !== null) {
        depth--
        return jump
      }
    }
    depth--
    return null
  }

  function walkNode(node: Node, dot: Value): 'break' | 'continue' | null {
    step()
    switch (node.kind) {
      case 'text':
        write(node.text)
        return null
      case 'break':
      case 'continue':
        return node.kind
      default:
        break
    }
    line = node.line
    const mark = variables.length
    switch (node.kind) {
      case 'action': {
        const value = evaluatePipe(node.pipe, dot)
        if (node.pipe.variables.length === 0)
          write(value === undefined ? '<no value>' : toText(value))
        return null
      }
      case 'template':
        callTemplate(node.name, node.pipe === null ? undefined : evaluatePipe(node.pipe, dot))
        return null
      case 'range': {
        const jump = walkRange(node, dot)
        variables.length = mark
        return jump
      }
      case 'if':
      case 'with': {
        const value = evaluatePipe(node.pipe, dot)
        const chosen = isTrue(value) ? node.list : node.otherwise
        const inner = isTrue(value) && node.kind === 'with' ? value : dot
        const jump = chosen === null ? null : walk(chosen, inner)
        variables.length = mark
        return jump
      }
    }
  }

  /** A `break` in its else belongs to the range around it. */
  function walkRange(node: BranchNode, dot: Value): 'break' | 'continue' | null {
    const value = evaluatePipe(node.pipe, dot)
    const entries = entriesOf(value)
    if (entries.length === 0) return node.otherwise === null ? null : walk(node.otherwise, dot)
    const { variables: names, isAssignment } = node.pipe
    const mark = variables.length
    for (const [index, element] of entries) {
      step()
      const values = names.length > 1 ? [index, element] : [element]
      names.forEach((variable, at) => {
        if (isAssignment) assign(variable, values[at])
        else {
          const own = variables[mark - names.length + at]
          if (own !== undefined) own.value = values[at]
        }
      })
      const jump = walk(node.list, element)
      variables.length = mark
      if (jump === 'break') break
    }
    return null
  }

  function entriesOf(value: Value): readonly (readonly [Value, Value])[] {
    if (value === undefined || value === null) return []
    if (value instanceof List) return value.items.map((item, at) => [BigInt(at), item])
    if (value instanceof Dict) return sortedEntries(value)
    return fail(`range cannot iterate over ${typeOf(value)}`)
  }

  function assign(name: string, value: Value): void {
    const variable = variables.findLast((known) => known.name === name)
    if (variable === undefined) fail(`undefined variable: ${name}`)
    variable.value = value
  }

  function evaluatePipe(pipe: Pipe, dot: Value): Value {
    let value: Final = NOTHING
    for (const command of pipe.commands) {
      step()
      const next: Value = evaluateCommand(command, dot, value)
      // What an interface holds, and nothing if it holds nothing.
      value = next === null ? undefined : next
    }
    const found = value === NOTHING ? undefined : value
    for (const name of pipe.variables) {
      if (pipe.isAssignment) assign(name, found)
      else variables.push({ name, value: found })
    }
    return found
  }

  function evaluateCommand([first, ...args]: Command, dot: Value, final: Final): Value {
    if (first.kind === 'identifier') return callFunction(first.name, args, dot, final)
    const hasArguments = args.length > 0 || final !== NOTHING
    if (first.kind === 'field') return readFields(dot, first.names, args, dot, final)
    if (first.kind === 'chain') return readChain(first, args, dot, final)
    if (first.kind === 'variable' && first.names.length > 0)
      return readFields(valueOf(first.name), first.names, args, dot, final)
    if (hasArguments) fail(`cannot give an argument to what is no function`)
    if (first.kind === 'nil') fail('nil is not a command')
    return evaluateOperand(first, dot)
  }

  function readChain(
    chain: Operand & { readonly kind: 'chain' },
    args: readonly Operand[],
    dot: Value,
    final: Final,
  ): Value {
    const receiver = evaluateOperand(chain.of, dot)
    return readFields(receiver, chain.names, args, dot, final)
  }

  function evaluateOperand(operand: Operand, dot: Value): Value {
    switch (operand.kind) {
      case 'dot':
        return dot
      case 'bool':
      case 'string':
        return operand.value
      case 'nil':
        return null
      case 'number':
        if (operand.number.ideal === null) fail(`${operand.number.text} overflows int`)
        return operand.number.ideal
      case 'pipe':
        return evaluatePipe(operand, dot)
      case 'field':
        return readFields(dot, operand.names, [], dot, NOTHING)
      case 'chain':
        return readChain(operand, [], dot, NOTHING)
      case 'identifier':
        return callFunction(operand.name, [], dot, NOTHING)
      case 'variable':
        return readFields(valueOf(operand.name), operand.names, [], dot, NOTHING)
    }
  }

  function valueOf(name: string): Value {
    const variable = variables.findLast((known) => known.name === name)
    return variable === undefined ? fail(`undefined variable: ${name}`) : variable.value
  }

  /** The arguments belong to the last field, which then has to be a method. */
  function readFields(
    receiver: Value,
    names: readonly string[],
    args: readonly Operand[],
    dot: Value,
    final: Final,
  ): Value {
    let value = receiver
    names.forEach((name, at) => {
      const isLast = at === names.length - 1
      value = readField(value, name, isLast ? args : [], dot, isLast ? final : NOTHING)
    })
    if (names.length === 0 && (args.length > 0 || final !== NOTHING))
      fail('cannot give an argument to what is no function')
    return value
  }

  function readField(
    receiver: Value,
    name: string,
    args: readonly Operand[],
    dot: Value,
    final: Final,
  ): Value {
    if (receiver === undefined) return undefined
    if (receiver === null) fail(`nil pointer evaluating interface {}.${name}`)
    if (receiver instanceof Moment) return callMethod(receiver, name, args, dot, final)
    const hasArguments = args.length > 0 || final !== NOTHING
    if (receiver instanceof Dict || receiver instanceof Struct) {
      if (receiver instanceof Struct && !receiver.fields.has(name))
        fail(`cannot evaluate field ${name} in type ${receiver.name}`)
      if (hasArguments) fail(`${name} has arguments but cannot be invoked as function`)
      return receiver instanceof Dict ? receiver.entries.get(name) : receiver.fields.get(name)
    }
    return fail(`cannot evaluate field ${name} in type ${typeOf(receiver)}`)
  }

  function callMethod(
    moment: Moment,
    name: string,
    args: readonly Operand[],
    dot: Value,
    final: Final,
  ): Value {
    const method = METHODS.get(name)?.(moment)
    if (method === undefined) return fail(`cannot evaluate field ${name} in type time.Time`)
    return call(name, method, args, dot, final)
  }

  function callFunction(called: string, args: readonly Operand[], dot: Value, final: Final): Value {
    const known = functions.get(called)
    if (known === undefined) return fail(`"${called}" is not a defined function`)
    if (called !== 'and' && called !== 'or') return call(called, known, args, dot, final)
    if (args.length === 0 && final === NOTHING) fail(`${called} needs at least 1 argument`)
    let value: Value
    for (const arg of args) {
      value = argumentOf(arg, 'any', dot)
      if (isTrue(value) === (called === 'or')) return value
    }
    return final === NOTHING ? value : final
  }

  function call(
    called: string,
    known: TemplateFunction,
    args: readonly Operand[],
    dot: Value,
    final: Final,
  ): Value {
    const { parameters, rest } = known
    const count = args.length + (final === NOTHING ? 0 : 1)
    if (count < parameters.length || (rest === undefined && count > parameters.length)) {
      const least = rest === undefined ? '' : 'at least '
      fail(`wrong number of args for ${called}: want ${least}${parameters.length} got ${count}`)
    }
    const typeAt = (at: number): Parameter => parameters[at] ?? rest ?? 'any'
    const values = args.map((arg, at) => argumentOf(arg, typeAt(at), dot))
    if (final !== NOTHING) values.push(validated(final, typeAt(args.length)))
    try {
      const value = known.call(values)
      // Else a range that doubles a text would end the memory before the steps.
      if (typeof value === 'string' && value.length > bounds.length)
        throw new TemplateError(`the text is longer than ${bounds.length} characters`)
      return value
    } catch (error) {
      if (!(error instanceof TemplateError)) throw error
      return fail(`error calling ${called}: ${error.message}`)
    }
  }

  function argumentOf(operand: Operand, type: Parameter, dot: Value): Value {
    if (operand.kind === 'nil') {
      if (type === 'any') return null
      return emptyOf(type) ?? fail(`cannot assign nil to ${type}`)
    }
    // A constant is what the parameter wants it to be, if it can be written so.
    if (operand.kind === 'number' && type === 'int')
      return operand.number.integer ?? fail(`expected integer; found ${operand.number.text}`)
    return validated(evaluateOperand(operand, dot), type)
  }

  function validated(value: Value, type: Parameter): Value {
    if (type === 'any') return value
    if (value === undefined || value === null) {
      const empty = value === undefined ? emptyOf(type) : null
      return empty ?? fail(`invalid value; expected ${type}`)
    }
    if (typeOf(value) !== type) fail(`wrong type for value; expected ${type}; got ${typeOf(value)}`)
    return value
  }

  function fail(why: string): never {
    throw new TemplateError(`line ${line}: ${why}`)
  }

  callTemplate(name, data)
  return pieces.join('')
}

/** A list that is nil; null: the type is none of lists. */
function emptyOf(type: Parameter): List | null {
  return type.startsWith('[]') ? new List(type.slice(2), []) : null
}

type Method = (moment: Moment) => TemplateFunction

const METHODS: ReadonlyMap<string, Method> = new Map<string, Method>([
  [
    'Format',
    (moment) => ({
      parameters: ['string'],
      call: ([layout]) => formatMoment(moment, layout as string),
    }),
  ],
  ['String', (moment) => ({ parameters: [], call: () => formatMoment(moment, null) })],
  ['UTC', (moment) => ({ parameters: [], call: () => moment })],
  ['Unix', (moment) => ({ parameters: [], call: () => BigInt(Math.floor(moment.epochMs / 1000)) })],
])
