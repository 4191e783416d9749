/** Runs a schema over hostile input: its value, or what zod found as flaws in our words. */
import type * as z from 'zod'
import { flaw, quote, refuse, type Flaw, type Parsed } from '../model/parsed.ts'

/** The `params` of a custom issue whose message needs no path in front of it. */
export const NAMES_PLACE = {}

/** Runs `schema` over hostile input. */
export function parseWith<T>(schema: z.ZodType<T>, value: unknown): Parsed<T> {
  const result = schema.safeParse(value, { reportInput: true })
  if (result.success) return { ok: true, value: result.data }
  return refuse(result.error.issues.flatMap(toFlaws))
}

function toFlaws(issue: z.core.$ZodIssue): Flaw[] {
  const path = issue.path.map((step) => (typeof step === 'symbol' ? String(step) : step))
  if (issue.code === 'custom' && issue.params === NAMES_PLACE) {
    return [{ message: issue.message, path }]
  }
  if (issue.code === 'unrecognized_keys') {
    const lines = issue.message.split('\n')
    return issue.keys.map((key, at) => ({
      ...flaw(path, lines[at] ?? 'unknown key'),
      path: [...path, key],
    }))
  }
  return [flaw(path, describe(issue))]
}

function describe(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      if (issue.input === undefined) return 'is missing'
      return `must be ${EXPECTED[issue.expected] ?? issue.expected}, not ${quote(issue.input)}`
    case 'invalid_value':
      if (issue.input === undefined) return 'is missing'
      return `must be ${issue.values.map(String).join(' or ')}, not ${quote(issue.input)}`
    default:
      return issue.message
  }
}

const EXPECTED: Readonly<Record<string, string>> = {
  object: 'a map',
  record: 'a map',
  array: 'a list',
  string: 'text',
  boolean: 'true or false',
  number: 'a number',
  int: 'a whole number',
}
