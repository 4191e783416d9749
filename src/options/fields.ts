/** The vocabulary of schemas: zod types with messages of Sluice, and their JSON Schema for editors and docs. */
import * as z from 'zod'
import { parseAddress, parseServerName } from '../model/address.ts'
import { parseCidr } from '../model/ip.ts'
import { DAY_MS, formatDuration, parseDuration, parseShare, parseSize } from '../model/units.ts'
import { refuseTableId } from '../model/names.ts'
import { type Path, type Scalar, bad, good, quote } from '../model/parsed.ts'
import type { Address } from '../model/snapshot.ts'
import { didYouMean } from '../model/suggest.ts'

/** A map whose keys are all known. */
export function strict<const Shape extends z.core.$ZodLooseShape>(
  shape: Shape,
  description: string,
): z.ZodObject<Shape, z.core.$strict> {
  const known = Object.keys(shape)
  return z
    .strictObject(shape, {
      // One line for each key; parse.ts splits them again.
      error: (issue) =>
        issue.code === 'unrecognized_keys'
          ? (issue['keys'] as string[]).map((key) => describeUnknown(key, known)).join('\n')
          : undefined,
    })
    .meta({ description })
}

function describeUnknown(key: string, known: readonly string[]): string {
  return `unknown key ${quote(key)}${didYouMean(key, known)}`
}

/** A map that may be left out because all of its keys have defaults. */
export function section<const Shape extends z.core.$ZodLooseShape>(
  shape: Shape,
  description: string,
): z.ZodPrefault<z.ZodObject<Shape, z.core.$strict>> {
  const schema = strict(shape, description)
  return schema.prefault({} as z.input<typeof schema>)
}

export type Complain = (message: string, path: Path) => void

/** Converts a map once each of its keys is valid by itself. A call of `complain` refuses it. */
export function meaning<Form, T>(
  schema: z.ZodType<Form>,
  read: (form: Form, complain: Complain) => T,
): z.ZodType<T> {
  return schema.transform((form, context) =>
    read(form, (message, path) => {
      context.issues.push({ code: 'custom', message, path: [...path], input: form })
    }),
  )
}

/** A value with a parser of its own; `meta` is its JSON Schema. */
export function scalar<T>(
  parse: (value: unknown) => Scalar<T>,
  meta: Record<string, unknown>,
): z.ZodType<T> {
  return z
    .unknown()
    .transform((value, context) => {
      const result = parse(value)
      if (result.ok) return result.value
      const message = value === undefined ? 'is missing' : result.reason
      context.issues.push({ code: 'custom', message, input: value })
      return z.NEVER
    })
    .meta(meta)
}

export function duration(
  description: string,
  normal: string,
  minMs = 1,
  maxMs: number = DAY_MS,
): z.ZodType<number> {
  return span(description, minMs, maxMs).prefault(normal)
}

/** The end of a description. In the docs it is on one page for all durations. */
export const DURATION_FORMS = ', as 10s, 500ms or 1m30s; a bare number is seconds.'

/** A duration without a default. */
export function span(description: string, minMs = 1, maxMs: number = DAY_MS): z.ZodType<number> {
  return scalar((value) => parseDuration(value, minMs, maxMs), {
    type: ['string', 'integer'],
    pattern: '^(\\d+|(\\d+(\\.\\d+)?(h|ms|m|s|us|µs|ns))+)$',
    minimum: minMs === 0 ? 0 : 1,
    description: `${description} ${formatDuration(minMs)} to ${formatDuration(maxMs)}${DURATION_FORMS}`,
  })
}

/** A duration from 0 up to a day, or null for the text `forever`. */
export function orForever(description: string, normal: string): z.ZodType<number | null> {
  return scalar<number | null>(
    (value) => (value === 'forever' ? good(null) : parseDuration(value, 0, DAY_MS)),
    { type: ['string', 'integer'], description },
  ).prefault(normal)
}

/**
 * A duration that stays text, in its shortest form: a bare number would be seconds when it is read again. For options of
 * middlewares and balancers, which travel as JSON and are shown by the API; `toMs` of model/units.ts reads it.
 */
export function durationText(description: string, minMs: number, maxMs: number): z.ZodType<string> {
  return span(description, minMs, maxMs).transform(formatDuration)
}

/** A share of a whole, 0 to 1. */
export function share(description: string, normal: string): z.ZodType<number> {
  return part(description).prefault(normal)
}

/** A share without a default. */
export function part(description: string, least = 0, most = 1): z.ZodType<number> {
  return scalar((value) => parseShare(value, least, most), {
    type: ['string', 'number'],
    pattern: '^\\d{1,3}(\\.\\d{1,6})? ?%$',
    minimum: least,
    maximum: most,
    description: `${description} As 20% or 0.2.`,
  })
}

export function size(
  description: string,
  normal: string,
  minBytes: number,
  maxBytes: number,
): z.ZodType<number> {
  return bytes(description, minBytes, maxBytes).prefault(normal)
}

/** A size without a default. */
export function bytes(description: string, minBytes: number, maxBytes: number): z.ZodType<number> {
  return scalar((value) => parseSize(value, minBytes, maxBytes), {
    type: ['string', 'integer'],
    pattern: '^\\d{1,12} ?([KMkm]([Ii]?[Bb])?|[Bb])?$',
    minimum: minBytes,
    maximum: maxBytes,
    description: `${description} As 32KiB or a number of bytes, ${minBytes} to ${maxBytes}.`,
  })
}

export function count(
  description: string,
  normal: number,
  least: number,
  most: number,
): z.ZodType<number> {
  return whole(description, least, most).prefault(normal)
}

export function whole(description: string, least: number, most: number): z.ZodType<number> {
  return scalar((value) => parseWhole(value, least, most), {
    type: 'integer',
    minimum: least,
    maximum: most,
    description,
  })
}

function parseWhole(value: unknown, least: number, most: number): Scalar<number> {
  return typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most
    ? good(value)
    : bad(`must be a whole number from ${least} to ${most}, not ${quote(value)}`)
}

/** How much of something may be there at a time, at least 1. */
export function limit(description: string, most: number): z.ZodType<number> {
  return scalar(
    (value) =>
      value === 0
        ? bad('must be at least 1: with 0 every request would be refused')
        : parseWhole(value, 1, most),
    { type: 'integer', minimum: 1, maximum: most, description },
  )
}

/** Any number, whole or not. */
export function ratio(description: string, least: number, most: number): z.ZodType<number> {
  return scalar(
    (value) =>
      typeof value === 'number' && value >= least && value <= most
        ? good(value)
        : bad(`must be a number from ${least} to ${most}, not ${quote(value)}`),
    { type: 'number', minimum: least, maximum: most, description },
  )
}

/** true or false. */
export function flag(description: string, normal: boolean): z.ZodType<boolean> {
  return z.boolean().default(normal).meta({ description })
}

/** May be left out: null. */
export function orNull<T>(schema: z.ZodType<T>): z.ZodType<T | null> {
  return z
    .unknown()
    .pipe(schema.nullable())
    .prefault(null)
    .meta({ ...inputOf(schema), default: undefined })
}

/** `refuse` looks at a value before `schema` does: why it cannot be, or null. */
export function guarded<T>(
  schema: z.ZodType<T>,
  refuse: (value: unknown) => string | null,
): z.ZodType<T> {
  return z
    .unknown()
    .superRefine((value, context) => {
      const message = refuse(value)
      if (message !== null) context.addIssue({ code: 'custom', message, continue: false })
    })
    .pipe(schema)
    .meta(inputOf(schema))
}

/** The JSON Schema of what a schema takes. */
export function inputOf(schema: z.ZodType): Record<string, unknown> {
  return { ...z.toJSONSchema(schema, { io: 'input' }), $schema: undefined }
}

/** Text of 1 to `most` characters. */
export function text(description: string, most: number): z.ZodType<string> {
  return scalar(
    (value) => {
      if (typeof value !== 'string') return bad(`must be text, not ${quote(value)}`)
      return value.length > 0 && value.length <= most
        ? good(value)
        : bad(`must be 1 to ${most} characters long, not ${value.length}`)
    },
    { type: 'string', minLength: 1, maxLength: most, description },
  )
}

/** A list of texts, each read by `parse`. */
export function texts(
  parse: (text: string) => Scalar<string>,
  most: number,
  description: string,
): z.ZodType<readonly string[]> {
  return scalar(
    (value) => {
      if (!Array.isArray(value)) return bad(`must be a list, not ${quote(value)}`)
      if (value.length > most) return bad(`must hold at most ${most}`)
      const read: string[] = []
      for (const one of value as unknown[]) {
        const parsed = typeof one === 'string' ? parse(one) : bad(`${quote(one)} is not text`)
        if (!parsed.ok) return parsed
        read.push(parsed.value)
      }
      return good(read)
    },
    { type: 'array', items: { type: 'string' }, maxItems: most, description },
  )
}

/** Of a TLS server. */
export function serverName(description: string): z.ZodType<string> {
  return scalar(
    (value) =>
      typeof value === 'string'
        ? parseServerName(value)
        : bad(`must be a name, not ${quote(value)}`),
    { type: 'string', minLength: 1, maxLength: 253, description },
  )
}

export function address(description: string): z.ZodType<Address> {
  return scalar(parseAddress, {
    type: 'string',
    pattern: ':\\d{1,5}$',
    description: `${description} As 127.0.0.1:8080, [::1]:8080, or :8080 for every interface.`,
  })
}

/** At least one address or network in CIDR notation. */
export function networks(description: string): z.ZodType<readonly string[]> {
  return z
    .array(scalar(parseCidr, { type: 'string', examples: ['10.0.0.0/8'] }))
    .min(1, 'must name at least one network')
    .max(1000, 'must name at most 1000 networks')
    .meta({ description })
}

export function reference(description: string): z.ZodType<string> {
  return scalar(
    (value) => {
      if (typeof value !== 'string') return bad(`must be an id, not ${quote(value)}`)
      const reason = refuseTableId(value)
      return reason === null ? good(value) : bad(reason)
    },
    { type: 'string', description },
  )
}
