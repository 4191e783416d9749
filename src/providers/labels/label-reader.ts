/**
 * Labels to objects. Each instance is translated by itself, once as long as it stays the same object, and then all of them are
 * merged, so that a change among 1,000 containers costs the translation of one.
 */
import type { Reading } from './definition.ts'
import { exposureOf } from './exposure.ts'
import type { Labelled, LabelReader, LabelRules, LabelSourceKind } from './labelled.ts'
import { mergeReadings } from './merge.ts'
import { readNativeLabels } from './native.ts'

/** `kind`: of the source. */
export function createLabelReader(
  rules: LabelRules & { readonly kind: LabelSourceKind },
): LabelReader {
  const known = new WeakMap<Labelled, Reading>()

  function readingOf(item: Labelled): Reading {
    const before = known.get(item)
    if (before !== undefined) return before
    const reading = readItem(item, rules)
    known.set(item, reading)
    return reading
  }

  return {
    read: (items) => mergeReadings([...items].map((item) => ({ item, reading: readingOf(item) }))),
  }
}

function readItem(item: Labelled, rules: LabelRules): Reading {
  const { isExposed, problems } = exposureOf(item, rules)
  return { definitions: isExposed ? readNativeLabels(item, rules) : [], problems }
}
