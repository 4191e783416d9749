/**
 * A trie whose steps are literals or wildcards for a single step: the segments of a path from the left, or the labels of a host
 * from the right.
 */
import type { PatternElement } from './pattern.ts'
import { ANY, INT } from './pattern.ts'

export type Step = string | typeof ANY | typeof INT

export class TrieNode<V> {
  value: V | undefined = undefined
  literals: Map<string, TrieNode<V>> | undefined = undefined
  int: TrieNode<V> | undefined = undefined
  any: TrieNode<V> | undefined = undefined
}

/**
 * The steps before the first piece that is not a single literal or a single wildcard for one step (`v<int:x>`, `<path:x>`).
 * The entries at the last step compare the rest themselves.
 */
export function toSteps(pieces: readonly (readonly PatternElement[])[]): Step[] {
  const steps: Step[] = []
  for (const [first = '', ...more] of pieces) {
    if (more.length > 0 || !isStep(first)) break
    steps.push(first)
  }
  return steps
}

function isStep(element: PatternElement): element is Step {
  return typeof element === 'string' || element === ANY || element === INT
}

/** Replaces the value at the end of the steps. Creates missing nodes and removes empty ones. */
export function updateTrie<V>(
  node: TrieNode<V>,
  steps: readonly Step[],
  update: (value: V | undefined) => V | undefined,
  taken = 0,
): void {
  const step = steps[taken]
  if (step === undefined) {
    node.value = update(node.value)
    return
  }
  const known = childOf(node, step)
  const child = known ?? new TrieNode<V>()
  updateTrie(child, steps, update, taken + 1)
  if (isEmpty(child)) setChild(node, step, undefined)
  else if (known === undefined) setChild(node, step, child)
}

function childOf<V>(node: TrieNode<V>, step: Step): TrieNode<V> | undefined {
  if (step === ANY) return node.any
  if (step === INT) return node.int
  return node.literals?.get(step)
}

function setChild<V>(node: TrieNode<V>, step: Step, child: TrieNode<V> | undefined): void {
  if (step === ANY) {
    node.any = child
  } else if (step === INT) {
    node.int = child
  } else if (child !== undefined) {
    node.literals ??= new Map()
    node.literals.set(step, child)
  } else {
    node.literals?.delete(step)
    if (node.literals?.size === 0) node.literals = undefined
  }
}

function isEmpty<V>(node: TrieNode<V>): boolean {
  return (
    node.value === undefined &&
    node.literals === undefined &&
    node.int === undefined &&
    node.any === undefined
  )
}
