/** The tree of a parsed template. */

export type Node = TextNode | ActionNode | BranchNode | CallNode | JumpNode

export interface TextNode {
  readonly kind: 'text'
  readonly text: string
}

/** `{{pipeline}}`: printed, unless it sets variables. */
export interface ActionNode {
  readonly kind: 'action'
  readonly line: number
  readonly pipe: Pipe
}

export interface BranchNode {
  readonly kind: 'if' | 'range' | 'with'
  readonly line: number
  readonly pipe: Pipe
  readonly list: readonly Node[]
  readonly otherwise: readonly Node[] | null
}

/** `{{template "name" pipeline}}`. */
export interface CallNode {
  readonly kind: 'template'
  readonly line: number
  readonly name: string
  readonly pipe: Pipe | null
}

export interface JumpNode {
  readonly kind: 'break' | 'continue'
}

export interface Pipe {
  readonly kind: 'pipe'
  /** `$a = ` rather than `$a := `. */
  readonly isAssignment: boolean
  /** With their `$`: two of a range, else one or none. */
  readonly variables: readonly string[]
  readonly commands: readonly Command[]
}

/** What is called or read, and its arguments. */
export type Command = readonly [Operand, ...Operand[]]

export type Operand =
  | Pipe
  | { readonly kind: 'bool'; readonly value: boolean }
  | { readonly kind: 'chain'; readonly of: Operand; readonly names: readonly string[] }
  | { readonly kind: 'dot' }
  | { readonly kind: 'field'; readonly names: readonly string[] }
  | { readonly kind: 'identifier'; readonly name: string }
  | { readonly kind: 'nil' }
  | { readonly kind: 'number'; readonly number: NumberConstant }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'variable'; readonly name: string; readonly names: readonly string[] }

/** A constant fits every parameter that it can be written as: 1 is an int and a float, 1.5 only a float. */
export interface NumberConstant {
  readonly text: string
  /** Null where it is no int of 64 bits. */
  readonly integer: bigint | null
  readonly float: number
  /** What it is where any type is taken: 1 an int, 1.0 a float. */
  readonly ideal: bigint | number | null
}

/** Templates by name; that of the text itself has the name that it was parsed under. */
export type Templates = ReadonlyMap<string, readonly Node[]>
