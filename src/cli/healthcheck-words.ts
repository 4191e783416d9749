/** The words of `sluice healthcheck`. */
import { parseDuration } from '../model/units.ts'
import { placeFlags, refuseFile, type SettingFlags } from './serve-words.ts'
import { ADMIN_ADDRESS, type CommandSpec, CONFIG } from './spec.ts'

/** `waitMs`: 0 for one request. */
export interface HealthcheckCommand {
  readonly kind: 'healthcheck'
  readonly config: string | null
  readonly flags: SettingFlags
  readonly waitMs: number
}

const LONGEST_WAIT_MS = 3_600_000

export const HEALTHCHECK: CommandSpec<HealthcheckCommand> = {
  name: 'healthcheck',
  usage: ['[flags]'],
  summary: 'check whether a running Sluice is ready',
  flags: {
    config: CONFIG,
    'admin-address': ADMIN_ADDRESS,
    wait: {
      value: 'DURATION',
      text: 'retry until it is ready, at most this long: 10s',
      doc: 'retry until it is ready, at most this long',
    },
  },
  exits: 'Exit 0: ready; 1: not ready, with the reason; 2: wrong usage.',
  parse({ flags, positionals: [extra] }) {
    if (extra !== undefined) return refuseFile('healthcheck', extra)
    const waitMs = parseDuration(flags['wait'] ?? '0', 0, LONGEST_WAIT_MS)
    if (!waitMs.ok) return `--wait ${waitMs.reason}`
    return { kind: 'healthcheck', ...placeFlags(flags), waitMs: waitMs.value }
  },
}
