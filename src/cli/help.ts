/** What --help prints. The flags of serve are listed here once; command-line.ts takes exactly these. */
import type { SettingName } from '../model/resolve-settings.ts'

export type Topic = 'sluice' | 'serve' | 'check' | 'healthcheck' | 'version'

interface FlagHelp {
  readonly value: string
  readonly text: string
}

const CONFIG: FlagHelp = {
  value: 'FILE',
  text: 'what to serve: YAML, or JSON by its ending (SLUICE_CONFIG)',
}
const ADMIN_ADDRESS: FlagHelp = { value: 'ADDRESS', text: 'of the admin (127.0.0.1:8182)' }

export const SERVE_FLAGS: Readonly<Record<SettingName | 'config', FlagHelp>> = {
  config: CONFIG,
  workers: { value: 'N', text: 'serving threads; auto (default): one a core; 0: in line' },
  'admin-address': ADMIN_ADDRESS,
  trusted: { value: 'BLOCKS', text: 'peers whose forwarding fields are believed: 10.0.0.0/8,::1' },
  'log-level': {
    value: 'LEVEL',
    text: 'fatal, error, warn, info (default), debug, trace or silent',
  },
  'log-access': { value: 'FORM', text: 'access log: json (default), common or off' },
  'log-path': { value: 'PATH', text: 'append the logs to a file; stdout by default' },
  drain: { value: 'DURATION', text: 'how long a stop waits for what is in flight (30s)' },
}

export const HEALTHCHECK_FLAGS: Readonly<Record<'config' | 'admin-address', FlagHelp>> = {
  config: { value: 'FILE', text: 'the file that says where the admin is (SLUICE_CONFIG)' },
  'admin-address': ADMIN_ADDRESS,
}

const TEXTS: Readonly<Record<Topic, string>> = {
  sluice: `Sluice, a dynamic HTTP load balancer

usage: sluice COMMAND

  serve        balance what a file declares, and follow its changes
  check FILE   say what is wrong with a file, with line and column; exit 1 if anything is
  healthcheck  ask the admin of a running Sluice whether it is ready; exit 0 if so, else 1
  version      print the versions of Sluice and Node

sluice COMMAND --help says more.`,

  serve: `usage: sluice serve [--config FILE] [flags]

${flagLines(SERVE_FLAGS)}

Each flag has a variable (SLUICE_LOG_LEVEL for --log-level) and a key in the file. A flag goes before
the variable, the variable before the file, the file before the default.
SIGTERM drains and stops, SIGHUP reads the file again.`,

  check: `usage: sluice check FILE

Prints each problem as FILE:LINE:COLUMN: kind id: message. Exit 0: nothing is wrong; 1: something is.`,

  healthcheck: `usage: sluice healthcheck [flags]

${flagLines(HEALTHCHECK_FLAGS)}

Exit 0: ready; 1: not, with the reason.`,

  version: 'usage: sluice version',
}

export function helpText(topic: Topic): string {
  return TEXTS[topic]
}

function flagLines(flags: Readonly<Record<string, FlagHelp>>): string {
  const lines = Object.entries(flags).map(
    ([name, { value, text }]) => `  ${`--${name} ${value}`.padEnd(26)}${text}`,
  )
  return lines.join('\n')
}
