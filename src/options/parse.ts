/** Runs a schema over hostile input: returns its value, or the issues of zod as flaws in words of Sluice. */
import type * as z from 'zod'
import { flaw, quote, refuse, type Flaw, type Parsed, type Path } from '../model/parsed.ts'

/** The `params` of a custom issue whose message needs no path in front of it. */
export const NAMES_PLACE = {}

/** `at`: the place of the value, where the paths of flaws begin. */
export function parseWith<T>(schema: z.ZodType<T>, value: unknown, at: Path = []): Parsed<T> {
  const result = schema.safeParse(value, { reportInput: true })
  if (result.success) return { ok: true, value: result.data }
  return refuse(result.error.issues.flatMap((issue) => toFlaws(issue, at)))
}

function toFlaws(issue: z.core.$ZodIssue, at: Path): Flaw[] {
  const below = issue.path.map((step) => (typeof step === 'symbol' ? String(step) : step))
  const path = [...at, ...below]
  if (issue.code === 'custom' && issue.params === NAMES_PLACE) {
    return [{ message: issue.message, path }]
  }
  if (issue.code === 'unrecognized_keys') {
    const lines = issue.message.split('\n')
    return issue.keys.map((key, index) => ({
      ...flaw(path, lines[index] ?? 'unknown key'),
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
    case 'invalid_key':
      return issue.issues.map(describe).join('; ')
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
