/**
 * A validator of the part of JSON Schema 2020-12 that this project writes. A keyword that it does not know is an error, so that nothing
 * passes unseen. Maps are closed: a member that the schema does not name is a fault, unless the schema allows more.
 */

export type Schema = Readonly<Record<string, unknown>>

/** What says nothing about validity. */
const NOTES = new Set([
  ...['description', 'default', 'title', 'format', 'examples', '$comment'],
  ...['enumDescriptions', 'deprecationMessage', 'markdownDescription'],
])
const KNOWN = new Set([
  ...['$ref', 'type', 'properties', 'required', 'additionalProperties', 'patternProperties'],
  ...['propertyNames', 'items', 'minItems', 'maxItems', 'uniqueItems', 'anyOf', 'oneOf', 'allOf'],
  ...['not', 'enum', 'const', 'pattern', 'minLength', 'maxLength', 'minimum', 'maximum'],
  ...['exclusiveMinimum', 'exclusiveMaximum', 'multipleOf', 'minProperties', 'maxProperties'],
  ...NOTES,
])

export interface ValidatorOptions {
  /** Of `#/components/schemas/NAME`. */
  readonly schemas: Readonly<Record<string, Schema>>
  /** False: members that are not named may be there, as JSON Schema has it. */
  readonly areMapsClosed?: boolean
}

/** Each fault with its place; empty: the value is valid. */
export function faultsOf(
  schema: Schema,
  value: unknown,
  { schemas, areMapsClosed = true }: ValidatorOptions,
): readonly string[] {
  return check(schema, value, '')

  function check(of: Schema, at: unknown, place: string): readonly string[] {
    const unknown = Object.keys(of).filter((name) => !KNOWN.has(name) && !name.startsWith('x-'))
    if (unknown.length > 0) throw new Error(`keywords that are not known: ${unknown.join(', ')}`)
    const { $ref } = of
    if (typeof $ref === 'string') return check(resolve($ref), at, place)
    return [
      ...checkWhole(of, at, place),
      ...(typeof at === 'string' ? checkText(of, at, place) : []),
      ...(typeof at === 'number' ? checkNumber(of, at, place) : []),
      ...(Array.isArray(at) ? checkList(of, at, place) : []),
      ...(isMap(at) ? checkMap(of, at, place) : []),
      ...checkCombined(of, at, place),
    ]
  }

  function resolve(ref: string): Schema {
    const name = ref.replace('#/components/schemas/', '')
    const found = schemas[name]
    if (found === undefined) throw new Error(`there is no schema ${ref}`)
    return found
  }

  function checkWhole(of: Schema, at: unknown, place: string): readonly string[] {
    const { type, enum: values, const: only } = of
    const types = type === undefined ? [] : [type].flat()
    const found = []
    if (types.length > 0 && !types.some((one) => isOfType(at, one)))
      found.push(`${place}: is no ${types.join(' or ')}: ${cut(at)}`)
    if (Array.isArray(values) && !values.some((one) => isSame(one, at)))
      found.push(`${place}: is none of ${values.join(', ')}: ${cut(at)}`)
    if ('const' in of && !isSame(only, at)) found.push(`${place}: is not ${cut(only)}: ${cut(at)}`)
    return found
  }

  function checkText(of: Schema, at: string, place: string): readonly string[] {
    const { pattern, minLength = 0, maxLength = Infinity } = of
    const found = []
    if (typeof pattern === 'string' && !new RegExp(pattern, 'u').test(at))
      found.push(`${place}: does not match ${pattern}: ${cut(at)}`)
    if ([...at].length < Number(minLength) || [...at].length > Number(maxLength))
      found.push(`${place}: has a length of ${at.length}`)
    return found
  }

  function checkNumber(of: Schema, at: number, place: string): readonly string[] {
    const { minimum = -Infinity, maximum = Infinity, multipleOf } = of
    const { exclusiveMinimum: above = -Infinity, exclusiveMaximum: below = Infinity } = of
    const isIn =
      at >= Number(minimum) && at <= Number(maximum) && at > Number(above) && at < Number(below)
    const isMultiple = multipleOf === undefined || Number.isInteger(at / Number(multipleOf))
    return isIn && isMultiple ? [] : [`${place}: is out of its bounds: ${at}`]
  }

  function checkList(of: Schema, at: readonly unknown[], place: string): readonly string[] {
    const { items, minItems = 0, maxItems = Infinity } = of
    const found: string[] = []
    if (at.length < Number(minItems) || at.length > Number(maxItems))
      found.push(`${place}: has ${at.length} items`)
    if (isMap(items))
      found.push(...at.flatMap((one, index) => check(items, one, `${place}/${index}`)))
    return found
  }

  function checkMap(of: Schema, at: Schema, place: string): readonly string[] {
    const { properties = {}, required = [], additionalProperties, propertyNames } = of
    const patterns = Object.entries((of['patternProperties'] ?? {}) as Record<string, Schema>)
    const named = properties as Readonly<Record<string, Schema>>
    const isOpen = additionalProperties === undefined && !('properties' in of && areMapsClosed)
    const count = Object.keys(at).length
    const found = (required as readonly string[])
      .filter((name) => !Object.hasOwn(at, name))
      .map((name) => `${place}: lacks ${name}`)
    if (count < Number(of['minProperties'] ?? 0) || count > Number(of['maxProperties'] ?? Infinity))
      found.push(`${place}: has ${count} members`)
    for (const [name, inner] of Object.entries(at)) {
      const step = `${place}/${name}`
      const own = Object.hasOwn(named, name) ? named[name] : undefined
      const byPattern = patterns.filter(([pattern]) => new RegExp(pattern, 'u').test(name))
      if (isMap(propertyNames)) found.push(...check(propertyNames, name, `${step} (name)`))
      for (const one of [...(own === undefined ? [] : [own]), ...byPattern.map(([, one]) => one)])
        found.push(...check(one, inner, step))
      if (own !== undefined || byPattern.length > 0) continue
      if (isMap(additionalProperties)) found.push(...check(additionalProperties, inner, step))
      else if (additionalProperties !== true && !isOpen) found.push(`${step}: is not known`)
    }
    return found
  }

  function checkCombined(of: Schema, at: unknown, place: string): readonly string[] {
    const listed = (name: string): readonly Schema[] => (of[name] ?? []) as readonly Schema[]
    const found = listed('allOf').flatMap((one) => openly(one, at, place))
    for (const name of ['anyOf', 'oneOf'] as const) {
      const each = listed(name).map((one) => check(one, at, place))
      const good = each.filter((faults) => faults.length === 0).length
      if (each.length > 0 && (good === 0 || (name === 'oneOf' && good > 1))) {
        const best = each.toSorted((a, b) => a.length - b.length)[0] ?? []
        found.push(`${place}: ${good} of ${name} hold: ${best.slice(0, 3).join('; ')}`)
      }
    }
    if (isMap(of['not']) && check(of['not'], at, place).length === 0)
      found.push(`${place}: is what it must not be: ${cut(at)}`)
    return found
  }

  /** The parts of allOf have their members together. */
  function openly(of: Schema, at: unknown, place: string): readonly string[] {
    return faultsOf(of, at, { schemas, areMapsClosed: false }).map((fault) => place + fault)
  }
}

export function isMap(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isOfType(value: unknown, type: unknown): boolean {
  switch (type) {
    case 'null':
      return value === null
    case 'array':
      return Array.isArray(value)
    case 'object':
      return isMap(value)
    case 'integer':
      return Number.isInteger(value)
    default:
      return typeof value === type
  }
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

function cut(value: unknown): string {
  return (JSON.stringify(value) ?? 'undefined').slice(0, 100)
}
