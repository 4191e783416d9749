/** The words of `sluice top`. */
import { quote } from '../../model/parsed.ts'
import { parseDuration } from '../../model/units.ts'
import { PLACE_FLAGS, type PlaceWords, readPlace } from '../place-words.ts'
import type { CommandSpec } from '../spec.ts'

export interface TopCommand {
  readonly kind: 'top'
  /** Of frontends, and of servers; 0: all. */
  readonly limit: number
  /** 0: once. */
  readonly refreshMs: number
  /** Null: all. */
  readonly backend: string | null
  readonly isJson: boolean
  readonly place: PlaceWords
}

const LONGEST_MS = 3_600_000

export const TOP: CommandSpec<TopCommand> = {
  name: 'top',
  usage: ['[flags]'],
  summary: 'show requests/s, latencies, errors, health and breakers, live',
  flags: {
    limit: { value: 'N', text: 'frontends, and servers, at most; 0: all', default: '20' },
    refresh: { value: 'SECONDS', text: 'between two looks: 2, 500ms; 0: once', default: '1' },
    once: { value: '', text: 'prints a table and ends' },
    backend: {
      value: 'ID',
      text: 'only what belongs to this backend',
      aliases: ['b'],
      completes: 'backend',
    },
    json: { value: '', text: 'prints a line of JSON at each look' },
    ...PLACE_FLAGS,
  },
  text: [
    'Figures are of the last ten seconds, those of the first look of the time since Sluice started. In front are the frontends and servers with the most errors. The key q ends it. If standard output is no terminal, it prints one table and ends.',
    'A code stands for its class: 200 for all 2xx. A breaker is tripped, recovering or standby.',
  ],
  examples: ['sluice top', 'sluice top --once --backend vote', 'sluice top --json --refresh 10'],
  exits: 'Exit 0: ended; 1: the API does not respond, with the reason; 2: wrong usage.',
  isGo: true,
  parse(words) {
    const { flags, positionals } = words
    const [extra] = positionals
    if (extra !== undefined) return `top takes flags only, not ${quote(extra)}`
    const place = readPlace(words)
    if (typeof place === 'string') return place
    const { limit = '20', refresh = '1', backend = null } = flags
    if (!/^\d{1,6}$/.test(limit)) return `--limit must be a whole number, not ${quote(limit)}`
    const every = parseDuration(/^\d+$/.test(refresh) ? `${refresh}s` : refresh, 0, LONGEST_MS)
    if (!every.ok) return `--refresh ${every.reason}`
    const refreshMs = 'once' in flags ? 0 : every.value
    return { kind: 'top', limit: Number(limit), refreshMs, backend, isJson: 'json' in flags, place }
  },
}
