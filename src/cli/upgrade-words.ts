/** The words of `sluice upgrade`. */
import { resolve } from 'node:path'
import { quote } from '../model/parsed.ts'
import { parseDuration } from '../model/units.ts'
import { PLACE_FLAGS, type PlaceWords, readPlace } from './place-words.ts'
import type { CommandSpec } from './spec.ts'
import type { UpgradeCommand as Upgrade } from './upgrade.ts'

export interface UpgradeCommand extends Upgrade {
  readonly kind: 'upgrade'
  readonly place: PlaceWords
}

const LONGEST_MS = 3_600_000

export const UPGRADE: CommandSpec<UpgradeCommand> = {
  name: 'upgrade',
  usage: ['[--to BINARY] [flags]'],
  summary: 'replace the running program by another version, without refusing a connection',
  flags: {
    to: {
      value: 'BINARY',
      text: 'the program to start; by default what is at the path of the running one now',
      completes: 'file',
    },
    within: {
      value: 'DURATION',
      text: 'how long the new program may take to serve',
      default: '2m',
    },
    ...PLACE_FLAGS,
  },
  text: [
    'It sends SIGUSR2, so it has to run on the machine of the program, as its user or as root. The program hands its sockets to the new one and drains; if the new one does not come to serve, nothing changes.',
  ],
  examples: ['npm install -g sluice && sluice upgrade'],
  exits:
    'Exit 0: the new program serves; 1: it does not, with the reason, and the old one goes on; 2: wrong usage.',
  parse({ flags, positionals: [extra] }) {
    if (extra !== undefined)
      return `upgrade takes no ${quote(extra)}; a program is given as --to BINARY`
    const { to, within } = flags
    if (to === '') return '--to needs the path of a program'
    const withinMs = within === undefined ? null : parseDuration(within, 1, LONGEST_MS)
    if (withinMs?.ok === false) return `--within ${withinMs.reason}`
    const place = readPlace({ flags })
    if (typeof place === 'string') return place
    return {
      kind: 'upgrade',
      to: to === undefined ? null : resolve(to),
      withinMs: withinMs?.value ?? null,
      place,
    }
  },
}
