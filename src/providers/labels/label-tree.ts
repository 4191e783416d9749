/**
 * Labels as a tree: `sluice.health.path: /up` is the member `path` of `health`. Lists are numbered, as `middlewares[0].kind` or
 * `middlewares.0.kind`.
 */
import type { Reference } from '../../document/references.ts'
import { isForbiddenKey } from '../../model/names.ts'
import { quote } from '../../model/parsed.ts'

export interface LabelNode {
  /** The whole name of the label, or the beginning that its members share: `sluice.health`. */
  readonly label: string
  /** Null if there are only members. */
  text: string | null
  readonly members: Map<string, LabelNode>
}

const MAX_DEPTH = 12
const MAX_LABELS = 1_000
const MAX_NAME = 512
const MAX_TEXT = 65_536

export interface LabelTree {
  readonly root: LabelNode
  /** Labels that are not in the tree, and why not. */
  readonly faults: readonly string[]
}

/** Of the labels that begin with `prefix`, which ends in a dot. */
export function growTree(labels: ReadonlyMap<string, string>, prefix: string): LabelTree {
  const root = createNode(prefix.slice(0, -1))
  const faults: string[] = []
  let count = 0
  for (const [name, text] of labels) {
    if (!name.startsWith(prefix)) continue
    count += 1
    if (count > MAX_LABELS) continue
    const fault = plant(root, name, name.slice(prefix.length), text)
    if (fault !== null) faults.push(`label ${quote(name)} ${fault}`)
  }
  if (count > MAX_LABELS) {
    faults.push(`has ${count} labels below ${quote(prefix)}, at most ${MAX_LABELS} are read`)
  }
  return { root, faults }
}

/** Returns why the label cannot be in the tree, or null. */
function plant(root: LabelNode, name: string, below: string, text: string): string | null {
  if (name.length > MAX_NAME) return `has a name of ${name.length} characters`
  if (text.length > MAX_TEXT) {
    return `has ${text.length} characters, at most ${MAX_TEXT} are read`
  }
  const steps = below.replace(/\[(\d{1,3})\]/g, '.$1').split('.')
  if (steps.length > MAX_DEPTH) return `has more than ${MAX_DEPTH} parts`
  if (steps.some((step) => step === '' || isForbiddenKey(step))) return 'is not a valid name'
  let node = root
  for (const step of steps) {
    const known = node.members.get(step)
    if (known === undefined) {
      const grown = createNode(`${node.label}.${step}`)
      node.members.set(step, grown)
      node = grown
    } else node = known
  }
  if (node.text !== null) return 'exists twice, in two spellings'
  node.text = text.trim()
  return null
}

function createNode(label: string): LabelNode {
  return { label, text: null, members: new Map() }
}

export interface LabelValue {
  readonly value: unknown
  /** Its texts. */
  readonly references: readonly Reference[]
  readonly faults: readonly string[]
}

/** The value of a node as a file would have it, except that all of its scalars are texts. `at`: its place in its object. */
export function valueOf(node: LabelNode, at: readonly (string | number)[]): LabelValue {
  const references: Reference[] = []
  const faults: string[] = []

  function read(node: LabelNode, path: readonly (string | number)[]): unknown {
    const { label, text, members } = node
    if (members.size === 0) {
      references.push({ path, whole: true, isList: true })
      return text ?? ''
    }
    // `sticky: true` beside `sticky.cookie` says nothing more.
    if (text !== null && text !== 'true') {
      faults.push(`label ${quote(label)} has a value and members`)
    }
    const entries = [...members]
    if (entries.every(([step]) => /^\d+$/.test(step))) {
      return entries
        .sort(([one], [other]) => Number(one) - Number(other))
        .map(([, member], index) => read(member, [...path, index]))
    }
    return Object.fromEntries(
      entries.map(([step, member]) => [step, read(member, [...path, step])]),
    )
  }

  const value = read(node, at)
  return { value, references, faults }
}
