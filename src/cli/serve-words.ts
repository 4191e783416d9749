/** The words of `sluice serve`. */
import type { SettingName } from '../schema/resolve-settings.ts'
import { quote } from '../model/parsed.ts'
import { ADMIN_ADDRESS, type CommandSpec, type Flag, type Words } from './spec.ts'

export type SettingFlags = Readonly<Partial<Record<SettingName, string>>>

/** `config`, `synapse`: null without the flag. */
export interface ServeCommand {
  readonly kind: 'serve'
  readonly config: string | null
  readonly synapse: string | null
  readonly flags: SettingFlags
}

export const SERVE_FLAGS: Readonly<Record<SettingName | 'config' | 'synapse', Flag>> = {
  config: {
    value: 'FILE',
    text: 'the configuration: YAML, or JSON by its extension',
    variable: 'SLUICE_CONFIG',
    completes: 'file',
  },
  synapse: {
    value: 'FILE',
    text: 'a configuration of synapse or frontrunner, to serve as it is',
    doc: 'a configuration of [synapse or frontrunner](sources/synapse.md), as the source `synapse`. The usual file is read beside it only if `--config` or `SLUICE_CONFIG` names it',
    variable: 'SLUICE_SYNAPSE',
    completes: 'file',
  },
  workers: {
    value: 'N',
    text: 'serving threads; auto: one per core; 0: in the main thread',
    default: 'auto',
    variable: 'SLUICE_WORKERS',
  },
  'admin-address': { ...ADMIN_ADDRESS, variable: 'SLUICE_ADMIN_ADDRESS' },
  'admin-hosts': {
    value: 'HOSTS',
    text: 'further names of the admin in Host: sluice.monitoring,*.internal',
    doc: 'further hosts of the admin, with commas',
    variable: 'SLUICE_ADMIN_HOSTS',
  },
  'admin-anonymous': {
    value: 'ROLE',
    text: 'what clients of the admin may do without a token: none, metrics, read, drain or write',
    doc: 'what clients of the admin may do [without a token](api.md#who-may-do-what)',
    variable: 'SLUICE_ADMIN_ANONYMOUS',
    completes: ['none', 'metrics', 'read', 'drain', 'write'],
  },
  trusted: {
    value: 'BLOCKS',
    text: 'peers whose forwarding headers are trusted: 10.0.0.0/8,::1',
    doc: 'trusted peers, with commas: `10.0.0.0/8,::1`',
    variable: 'SLUICE_TRUSTED',
  },
  'log-level': {
    value: 'LEVEL',
    text: 'fatal, error, warn, info, debug, trace or silent',
    default: 'info',
    variable: 'SLUICE_LOG_LEVEL',
    completes: ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
  },
  'log-access': {
    value: 'FORM',
    text: 'access log: json, common, combined or off',
    default: 'json',
    variable: 'SLUICE_LOG_ACCESS',
    completes: ['json', 'common', 'combined', 'off'],
  },
  'log-path': {
    value: 'PATH',
    text: 'append the logs to a file',
    default: 'stdout',
    variable: 'SLUICE_LOG_PATH',
    completes: 'file',
  },
  data: {
    value: 'FOLDER',
    text: 'where Sluice keeps its own files',
    doc: '[data folder](operating.md#data-folder)',
    default: '/var/lib/sluice',
    variable: 'SLUICE_DATA',
    completes: 'folder',
  },
  drain: {
    value: 'DURATION',
    text: 'how long a stop waits for requests in flight',
    default: '30s',
    variable: 'SLUICE_DRAIN',
  },
}

export const SERVE: CommandSpec<ServeCommand> = {
  name: 'serve',
  usage: ['[--config FILE] [--synapse FILE] [flags]'],
  summary: 'serve a configuration and follow its changes',
  flags: SERVE_FLAGS,
  text: [
    'Each flag has an environment variable (SLUICE_LOG_LEVEL for --log-level) and a key in the file. A flag takes precedence over the variable, the variable over the file, the file over the default.',
    'SIGTERM drains and stops, SIGHUP reads the file and all sources again.',
  ],
  exits:
    'Exit 0 after a drain; 1 if it cannot start, or at a second SIGTERM or SIGINT; 2: wrong usage.',
  parse: ({ flags, positionals: [extra] }) => {
    if (extra !== undefined) return refuseFile('serve', extra)
    const { config = null, synapse = null, ...rest } = flags
    return { kind: 'serve', config, synapse, flags: rest as SettingFlags }
  },
}

export function refuseFile(command: string, word: string): string {
  return `${command} takes no ${quote(word)}; a file is given as --config FILE`
}

/** `config`: null without the flag. */
export function placeFlags(flags: Words['flags']): {
  readonly config: string | null
  readonly flags: SettingFlags
} {
  const { config = null, 'admin-address': admin } = flags
  return { config, flags: admin === undefined ? {} : { 'admin-address': admin } }
}
