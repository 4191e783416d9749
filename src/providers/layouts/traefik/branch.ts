/** The keys below one object of the tree. Traefik accepts their names in any case. */
import { MAX_VALUE_SIZE } from '../../registry/text-limit.ts'
import { quote } from '../../../model/parsed.ts'
import type { KeyEntry } from '../../layout.ts'
import { TranslationError } from '../translation.ts'

export interface Leaf {
  /** As written, below the object. */
  readonly segments: readonly string[]
  readonly text: string
}

export interface Branch {
  /** Throws if any of its keys cannot be read. */
  check(): void
  /** Null if the key does not exist. Throws if it cannot be read. */
  text(name: string): string | null
  /** False if the key does not exist. */
  flag(name: string): boolean
  whole(name: string): number | null
  /** `name/0`, `name/1`, ... in order, or one key with commas. */
  list(name: string): readonly string[]
  /** The keys below `name`, in no order. */
  below(name: string): readonly Leaf[]
  /** The names directly below `name`, in lower case; '' for the object itself. */
  names(name: string): readonly string[]
}

/** `depth`: how many segments of each path lead to the object. */
export function openBranch(entries: readonly KeyEntry[], depth: number): Branch {
  const leaves = new Map<string, Leaf>()
  /** By name. */
  const faults = new Map<string, string>()
  for (const { path, key, text, fault } of entries) {
    const segments = path.split('/').slice(depth)
    const name = segments.join('/').toLowerCase()
    if (text === null) faults.set(name, `${quote(key)} ${fault ?? 'cannot be read'}`)
    else if (text.length > MAX_VALUE_SIZE) {
      const reason = `has ${text.length} characters, at most ${MAX_VALUE_SIZE} are taken`
      faults.set(name, `${quote(key)} ${reason}`)
    } else if (leaves.has(name)) {
      faults.set(name, `${quote(name)} exists twice, in different cases`)
    } else leaves.set(name, { segments, text })
  }

  function text(name: string): string | null {
    const fault = faults.get(name)
    if (fault !== undefined) throw new TranslationError(fault)
    return leaves.get(name)?.text.trim() ?? null
  }

  function below(name: string): readonly Leaf[] {
    const prefix = name === '' ? '' : `${name}/`
    const found: Leaf[] = []
    for (const [at, leaf] of leaves) if (at.startsWith(prefix)) found.push(leaf)
    return found
  }

  return {
    check() {
      // The order of keys has no meaning, so the report must not depend on it.
      const [first] = [...faults.values()].sort()
      if (first !== undefined) throw new TranslationError(first)
    },
    text,
    below,
    flag(name) {
      const found = text(name)?.toLowerCase() ?? 'false'
      if (['true', '1', 't'].includes(found)) return true
      if (['false', '0', 'f', ''].includes(found)) return false
      throw new TranslationError(`${name}: must be true or false, not ${quote(found)}`)
    },
    whole(name) {
      const found = text(name)
      if (found === null) return null
      if (/^[+-]?\d{1,15}$/.test(found)) return Number(found)
      throw new TranslationError(`${name}: must be a whole number, not ${quote(found)}`)
    },
    list(name) {
      const single = text(name)
      const depthBelow = name.split('/').length
      const numbered = below(name)
        .map((leaf) => [Number(leaf.segments[depthBelow]), leaf.text.trim()] as const)
        .sort(([one], [other]) => one - other)
      if (numbered.some(([at]) => !Number.isInteger(at))) {
        throw new TranslationError(`${name}: must be numbered: ${name}/0, ${name}/1`)
      }
      return [...(single?.split(',') ?? []), ...numbered.map(([, value]) => value)]
        .map((value) => value.trim())
        .filter((value) => value !== '')
    },
    names(name) {
      const depthBelow = name === '' ? 0 : name.split('/').length
      return [
        ...new Set(below(name).map(({ segments }) => (segments[depthBelow] ?? '').toLowerCase())),
      ].sort()
    },
  }
}

const MOST_REMARKS = 20

/** Limited, because names are not trusted and may be many. */
export function remarkUnknown(names: readonly string[]): string[] {
  const remarks = names.slice(0, MOST_REMARKS).map((name) => `${quote(name)} is not honoured`)
  const left = names.length - remarks.length
  return left === 0 ? remarks : [...remarks, `and ${left} more are not honoured`]
}
