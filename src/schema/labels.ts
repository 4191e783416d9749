/** Labels of an object: notes that are shown with it and have no effect on traffic. */
import type * as z from 'zod'
import { scalar } from '../options/fields.ts'
import { isForbiddenKey } from '../model/names.ts'
import { type Scalar, bad, good, quote } from '../model/parsed.ts'
import type { Labels } from '../model/snapshot.ts'

const MAX_LABELS = 32
const MAX_NAME = 128
const MAX_VALUE = 256

/** Null when there are none. */
export function parseLabels(value: unknown): Scalar<Labels | null> {
  if (value === undefined) return good(null)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return bad(`must be a map of names to texts, not ${quote(value)}`)
  }
  const labels = Object.entries(value)
  if (labels.length > MAX_LABELS) {
    return bad(`must hold at most ${MAX_LABELS} labels, not ${labels.length}`)
  }
  for (const [name, text] of labels) {
    if (isForbiddenKey(name)) return bad(`the name ${quote(name)} is reserved`)
    if (name.length === 0 || name.length > MAX_NAME) {
      return bad(`a name must be 1 to ${MAX_NAME} characters long, not ${name.length}`)
    }
    if (typeof text !== 'string') return bad(`${quote(name)} must be text, not ${quote(text)}`)
    if (text.length > MAX_VALUE) {
      return bad(`${quote(name)} must be at most ${MAX_VALUE} characters long, not ${text.length}`)
    }
  }
  return good(labels.length === 0 ? null : (value as Labels))
}

export const labels: z.ZodType<Labels | null> = scalar(parseLabels, {
  type: 'object',
  maxProperties: MAX_LABELS,
  additionalProperties: { type: 'string', maxLength: MAX_VALUE },
  description: 'Notes, shown in /api/table: { team: shop }. No effect on traffic.',
})
