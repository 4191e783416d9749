/** The arguments of `put`, `delete` and `get`. */
import { parseDuration, YEAR_MS } from '../model/units.ts'
import { quote } from '../model/parsed.ts'
import { didYouMean } from '../model/suggest.ts'
import { OBJECT_KINDS, refuseObjectName } from '../model/names.ts'
import type { DeleteCommand, GetCommand, PutCommand } from './objects.ts'

type Flags = Readonly<Partial<Record<string, string>>>

/** Returns the command, or a usage error. */
export function parseObjectWords(
  command: 'put' | 'delete' | 'get',
  words: readonly string[],
  flags: Flags,
): PutCommand | DeleteCommand | GetCommand | string {
  const [kindWord, id, json, ...more] = words
  const { source = null, config = null, data } = flags
  const where = { source, config, ...(data === undefined ? {} : { data }) }
  if (kindWord === undefined && command === 'get') {
    return { kind: command, object: null, id: null, ...where }
  }
  const object = OBJECT_KINDS.find((kind) => kind === kindWord)
  if (object === undefined) {
    return kindWord === undefined
      ? `${command} needs a kind and an id`
      : `there is no kind ${quote(kindWord)}${didYouMean(kindWord, OBJECT_KINDS)}`
  }
  if (id === undefined) {
    if (command !== 'get') return `${command} needs the id of the ${object}`
    return { kind: command, object, id: null, ...where }
  }
  const extra = command === 'put' ? more[0] : json
  const refused = refuseObjectName({ kind: object, id })
  if (refused !== null) return refused
  if (extra !== undefined) return tooMany(command, extra)
  if (command === 'get') return { kind: command, object, id, ...where }

  const expected = flags['expect'] === 'none' ? null : flags['expect']
  const about = { object, id, expected, ...where }
  if (command === 'delete') return { kind: command, ...about }
  const ttl = flags['ttl'] === undefined ? null : parseDuration(flags['ttl'], 1, YEAR_MS)
  if (ttl?.ok === false) return `--ttl ${ttl.reason}`
  return {
    kind: command,
    ...about,
    json: json === undefined || json === '-' ? null : json,
    ttlMs: ttl === null ? null : ttl.value,
  }
}

function tooMany(command: string, word: string): string {
  return command === 'put'
    ? `put takes one value, ${quote(word)} is too many; quote the JSON for the shell`
    : `${command} takes no ${quote(word)}`
}
