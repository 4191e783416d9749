/** The words of `put`, `delete` and `get`. */
import { parseDuration, YEAR_MS } from '../model/units.ts'
import { quote } from '../model/parsed.ts'
import { didYouMean } from '../model/suggest.ts'
import { OBJECT_KINDS, refuseObjectName } from '../model/names.ts'
import type { DeleteCommand, GetCommand, PutCommand } from './objects.ts'
import type { CommandSpec, Flag, Flags, Words } from './spec.ts'

const WHERE: Flags = {
  source: { value: 'NAME', text: 'the registry, if the file names several' },
  config: {
    value: 'FILE',
    text: 'the configuration with the registry',
    doc: 'the file that names the registry',
    variable: 'SLUICE_CONFIG',
    completes: 'file',
  },
  data: {
    value: 'FOLDER',
    text: 'where the embedded store is; by default that of the running program',
    doc: 'the folder of the embedded store; by default that of the running program',
    completes: 'folder',
  },
}
const EXPECT: Flag = {
  value: 'REVISION',
  text: 'only if the object has this revision; none: only if it does not exist',
  doc: 'only if it has this revision; `none`: only if it does not exist',
}

const KINDS =
  'KIND is listener, host, backend, server, frontend or middleware. The ID of a server is BACKEND/SERVER, that of a middleware FRONTEND/MIDDLEWARE.'

export const PUT: CommandSpec<PutCommand | DeleteCommand | GetCommand> = {
  name: 'put',
  usage: ['KIND ID [JSON|-] [flags]'],
  summary: 'write an object to the registry',
  forms: ['write an object to the registry; `-` or nothing reads standard input'],
  flags: {
    ttl: {
      value: 'DURATION',
      text: 'the object expires unless it is put again: 10s, 500ms',
      doc: 'the object expires unless it is put again',
    },
    expect: EXPECT,
    ...WHERE,
  },
  positionals: ['kind', 'id'],
  text: [
    KINDS,
    'JSON is the object in the form of the file; with - or nothing it is read from standard input. An object that would be rejected is not written.',
  ],
  examples: [
    `sluice put server vote/1 '"http://10.0.0.1:80"' --ttl 10s`,
    `sluice put frontend vote '{"route":"Host(\\"vote.example\\")","backend":"vote"}'`,
  ],
  exits:
    'Exit 0: written, as durable as the registry guarantees; 1: not written, with the reason; 2: wrong usage.',
  parse: (words) => parseObjectWords('put', words),
}

export const DELETE: CommandSpec<PutCommand | DeleteCommand | GetCommand> = {
  name: 'delete',
  usage: ['KIND ID [flags]'],
  summary: 'delete an object of the registry',
  flags: { expect: EXPECT, ...WHERE },
  positionals: ['kind', 'id'],
  text: [KINDS],
  exits: 'Exit 0: deleted; 1: it did not exist or could not be deleted; 2: wrong usage.',
  parse: (words) => parseObjectWords('delete', words),
}

export const GET: CommandSpec<PutCommand | DeleteCommand | GetCommand> = {
  name: 'get',
  usage: ['[KIND [ID]] [flags]'],
  summary: 'print one object of the registry, or all',
  forms: ['print one, or all, a line of JSON each'],
  flags: WHERE,
  positionals: ['kind', 'id'],
  text: [
    KINDS,
    'Prints a line of JSON for each object: kind, id, revision, ttlMs (the remaining time to live, if it has one), value.',
  ],
  exits: 'Exit 0; 1: it does not exist or cannot be read; 2: wrong usage.',
  parse: (words) => parseObjectWords('get', words),
}

/** Returns the command, or a usage error. */
function parseObjectWords(
  command: 'put' | 'delete' | 'get',
  { flags, positionals }: Words,
): PutCommand | DeleteCommand | GetCommand | string {
  const [kindWord, id, json, ...more] = positionals
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
