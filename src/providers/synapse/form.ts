/** Reads the members of one map of a configuration. What is wrong, unknown or not needed is noted with its place. */
import { isMap, quote, type JsonMap, type Path, type Scalar } from '../../model/parsed.ts'
import { didYouMean } from '../../model/suggest.ts'
import { splitList } from '../../model/units.ts'

export interface Note {
  /** error: the service is not served as it is written; warning: a part of it has no effect; hint: a part of it is not needed. */
  readonly level: 'error' | 'warning' | 'hint'
  /** The name of the service; '': it is about all of them. */
  readonly service: string
  readonly message: string
  readonly path: Path
}

export interface Form {
  readonly value: JsonMap
  note(level: Note['level'], message: string, key?: string): void
  /** Notes other keys than these. */
  known(keys: readonly string[], help?: Readonly<Record<string, string>>): void
  text(key: string): string | null
  flag(key: string, normal: boolean): boolean
  number(key: string): number | null
  /** Also one text alone. */
  texts(key: string): readonly string[]
  map(key: string): Form | null
  maps(key: string): readonly Form[]
  /** With another parser; null: it is missing or wrong. */
  read<T>(key: string, parse: (value: unknown) => Scalar<T>): T | null
}

/** `service`: as of Note. */
export function createForm(value: JsonMap, path: Path, service: string, notes: Note[]): Form {
  function note(level: Note['level'], message: string, key?: string): void {
    const place = key === undefined ? path : [...path, key]
    const where = place.length === 0 ? '' : `${place.map(String).join('.')}: `
    notes.push({ level, service, message: `${where}${message}`, path: place })
  }

  function has(key: string): boolean {
    return Object.hasOwn(value, key) && value[key] !== null && value[key] !== undefined
  }

  function wrong(key: string, wanted: string): null {
    note('error', `must be ${wanted}, not ${quote(value[key])}`, key)
    return null
  }

  const form: Form = {
    value,
    note,
    known(keys, help = {}) {
      for (const key of Object.keys(value)) {
        if (keys.includes(key)) continue
        const more = Object.hasOwn(help, key) ? help[key] : undefined
        note('warning', more ?? `unknown key ${quote(key)}${didYouMean(key, keys)}`, key)
      }
    },
    text(key) {
      if (!has(key)) return null
      const found = value[key]
      return typeof found === 'string' || typeof found === 'number'
        ? String(found)
        : wrong(key, 'text')
    },
    flag(key, normal) {
      if (!has(key)) return normal
      const found = value[key]
      return typeof found === 'boolean' ? found : (wrong(key, 'true or false') ?? normal)
    },
    number(key) {
      if (!has(key)) return null
      const found = Number(value[key])
      return Number.isFinite(found) && value[key] !== '' ? found : wrong(key, 'a number')
    },
    texts(key) {
      if (!has(key)) return []
      const found = value[key]
      const list: readonly unknown[] = Array.isArray(found) ? found : [found]
      if (list.every((one) => typeof one === 'string')) return list as readonly string[]
      return wrong(key, 'a list of texts') ?? []
    },
    map(key) {
      if (!has(key)) return null
      const found = value[key]
      return isMap(found) ? createForm(found, [...path, key], service, notes) : wrong(key, 'a map')
    },
    maps(key) {
      if (!has(key)) return []
      const found = value[key]
      const list: readonly unknown[] = Array.isArray(found) ? found : [found]
      if (!list.every((one) => isMap(one))) return wrong(key, 'a list of maps') ?? []
      return list.map((one, at) => createForm(one, [...path, key, at], service, notes))
    },
    read(key, parse) {
      if (!has(key)) return null
      const parsed = parse(value[key])
      if (parsed.ok) return parsed.value
      note('error', parsed.reason, key)
      return null
    },
  }
  return form
}

/** A list, or one text with commas. */
export function hostsOf(form: Form, key: string): readonly string[] {
  return form.texts(key).flatMap((one) => splitList(one))
}
