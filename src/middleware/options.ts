/** What the kinds' options are made of. */
import * as z from 'zod'
import { parseWith as parseDeclared } from '../options/parse.ts'
import type { ParsedOptions } from './middleware.ts'

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
/** Fields that the proxy itself is responsible for: setting them by hand would break the framing or the hop. */
const OURS = new Set([
  'connection',
  'content-length',
  'host',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

export const fieldName: z.ZodString = z
  .string()
  .regex(TOKEN, 'must be a field name')
  .refine((name) => !OURS.has(name.toLowerCase()), 'is set by the proxy itself')

export const fieldValue: z.ZodString = z
  .string()
  .regex(/^[\t -~\x80-\xff]*$/, 'must be visible characters of one line')

export const fieldLines: z.ZodRecord<z.ZodString, z.ZodString> = z.record(fieldName, fieldValue)

/** `Name: value` lines of a record. */
export function toLines(fields: Readonly<Record<string, string>>): string {
  return Object.entries(fields)
    .map(([name, value]) => `${name}: ${value.trim()}\r\n`)
    .join('')
}

/** The first problem in words, with its path. */
export function parseWith<T>(schema: z.ZodType<T>, options: unknown): ParsedOptions<T> {
  const parsed = parseDeclared(schema, options)
  if (parsed.ok) return parsed
  const [first] = parsed.problems
  return { ok: false, message: first?.message ?? 'is not valid', path: first?.path ?? [] }
}
