/** The words of `sluice drain` and `sluice undrain`. */
import { quote } from '../../model/parsed.ts'
import { refuseObjectName, splitParts } from '../../model/names.ts'
import { parseDuration } from '../../model/units.ts'
import { JSON_FLAG, PLACE_FLAGS, type PlaceWords, readPlace } from '../place-words.ts'
import type { CommandSpec, Words } from '../spec.ts'

export interface DrainCommand {
  readonly kind: 'drain'
  readonly verb: 'drain' | 'undrain'
  /** Null: the only backend that has such a server. */
  readonly backend: string | null
  readonly server: string
  /** How long it may take until no request is in flight; null: that is not waited for. */
  readonly waitMs: number | null
  readonly place: PlaceWords
  readonly isJson: boolean
}

const LONGEST_MS = 24 * 3_600_000
const SERVER = 'SERVER is BACKEND/SERVER, or the id of the server alone if one backend has it.'

export const DRAIN: CommandSpec<DrainCommand> = {
  name: 'drain',
  usage: ['SERVER [--wait] [--timeout DURATION] [flags]'],
  summary: 'give a server no new requests, and wait until none is in flight',
  flags: {
    wait: { value: '', text: 'until no request is in flight' },
    timeout: { value: 'DURATION', text: 'how long to wait at most', default: '30s' },
    json: JSON_FLAG,
    ...PLACE_FLAGS,
  },
  positionals: ['server'],
  text: [
    SERVER,
    'The server stays drained until undrain. It has to be declared in the registry that the API writes.',
  ],
  examples: ['sluice drain vote/v1 --wait --timeout 2m && systemctl restart vote'],
  exits:
    'Exit 0: drained, with --wait also idle; 1: refused, or requests are still in flight; 2: wrong usage.',
  parse: (words) => parseDrain('drain', words),
}

export const UNDRAIN: CommandSpec<DrainCommand> = {
  name: 'undrain',
  usage: ['SERVER [flags]'],
  summary: 'give a drained server requests again',
  flags: { json: JSON_FLAG, ...PLACE_FLAGS },
  positionals: ['server'],
  text: [SERVER],
  exits: 'Exit 0: it gets requests again; 1: refused, with the reason; 2: wrong usage.',
  parse: (words) => parseDrain('undrain', words),
}

function parseDrain(verb: 'drain' | 'undrain', words: Words): DrainCommand | string {
  const { flags, positionals } = words
  const [word, extra] = positionals
  if (word === undefined) return `${verb} needs the server: BACKEND/SERVER`
  if (extra !== undefined) return `${verb} takes one server, ${quote(extra)} is too many`
  const [backend, server] = word.includes('/') ? splitParts(word) : [null, word]
  const refused = refuseObjectName({ kind: 'server', id: `${backend ?? 'b'}/${server}` })
  if (refused !== null) return refused
  const place = readPlace(words)
  if (typeof place === 'string') return place
  const timeout = parseDuration(flags['timeout'] ?? '30s', 0, LONGEST_MS)
  if (!timeout.ok) return `--timeout ${timeout.reason}`
  if (flags['timeout'] !== undefined && flags['wait'] === undefined) {
    return '--timeout is of --wait, which is missing'
  }
  const waitMs = flags['wait'] === undefined ? null : timeout.value
  return { kind: 'drain', verb, backend, server, waitMs, place, isJson: 'json' in flags }
}
