/** What --help prints. The flags of serve are listed here once; command-line.ts takes exactly these. */
import type { SettingName } from '../schema/resolve-settings.ts'

export type Topic =
  'sluice' | 'serve' | 'check' | 'put' | 'delete' | 'get' | 'healthcheck' | 'version'

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
  'admin-hosts': {
    value: 'HOSTS',
    text: 'by which it may be asked for, too: sluice.monitoring,*.internal',
  },
  trusted: { value: 'BLOCKS', text: 'peers whose forwarding fields are believed: 10.0.0.0/8,::1' },
  'log-level': {
    value: 'LEVEL',
    text: 'fatal, error, warn, info (default), debug, trace or silent',
  },
  'log-access': { value: 'FORM', text: 'access log: json (default), common, combined or off' },
  'log-path': { value: 'PATH', text: 'append the logs to a file; stdout by default' },
  data: { value: 'FOLDER', text: 'for what Sluice writes itself (/var/lib/sluice)' },
  drain: { value: 'DURATION', text: 'how long a stop waits for what is in flight (30s)' },
}

export const HEALTHCHECK_FLAGS: Readonly<Record<'config' | 'admin-address' | 'wait', FlagHelp>> = {
  config: { value: 'FILE', text: 'the file that says where the admin is (SLUICE_CONFIG)' },
  'admin-address': ADMIN_ADDRESS,
  wait: { value: 'DURATION', text: 'ask until it is ready, for so long at most: 10s' },
}

const WHERE = {
  source: { value: 'NAME', text: 'the registry, where the file names several' },
  config: { value: 'FILE', text: 'the file that says where the registry is (SLUICE_CONFIG)' },
  data: {
    value: 'FOLDER',
    text: 'where the embedded store is; by default the running program is asked',
  },
}
const EXPECT: FlagHelp = {
  value: 'REVISION',
  text: 'only if it has this revision now; none: only if it is not there',
}

export const OBJECT_FLAGS: Readonly<
  Record<'put' | 'delete' | 'get', Readonly<Record<string, FlagHelp>>>
> = {
  put: {
    ttl: { value: 'DURATION', text: 'it goes by itself unless it is put again: 10s, 500ms' },
    expect: EXPECT,
    ...WHERE,
  },
  delete: { expect: EXPECT, ...WHERE },
  get: WHERE,
}

const KINDS = `KIND is listener, host, backend, server, frontend or middleware; the ID of a server is BACKEND/SERVER,
that of a middleware FRONTEND/MIDDLEWARE.`

const TEXTS: Readonly<Record<Topic, string>> = {
  sluice: `Sluice, a dynamic HTTP load balancer

usage: sluice COMMAND

  serve        balance what a file declares, and follow its changes
  check FILE   say what is wrong with a file, with line and column; exit 1 if anything is
  put          write an object to the registry: sluice put KIND ID JSON
  delete       delete one: sluice delete KIND ID
  get          print one, or all: sluice get [KIND [ID]]
  healthcheck  ask the admin of a running Sluice whether it is ready; exit 0 if so, else 1
  version      print the versions of Sluice and Node

sluice COMMAND --help says more.`,

  serve: `usage: sluice serve [--config FILE] [flags]

${flagLines(SERVE_FLAGS)}

Each flag has a variable (SLUICE_LOG_LEVEL for --log-level) and a key in the file. A flag goes before
the variable, the variable before the file, the file before the default.
SIGTERM drains and stops, SIGHUP reads the file and all sources again.`,

  check: `usage: sluice check FILE

Prints each problem as FILE:LINE:COLUMN: kind id: message. With "warning:" before the kind it is in force and does
not do what it says: two routes that say the same, a route that another shadows, a certificate that ends within 14
days, a template that would be sent as it is. With "hint:" nothing needs it: a backend that no frontend names.
Exit 0: nothing is wrong, but for hints; 1: something is.`,

  put: `usage: sluice put KIND ID [JSON|-] [flags]

${flagLines(OBJECT_FLAGS.put)}

${KINDS}
JSON is the object as the file has it; - or nothing: standard input has it. What would not be admitted is not written.

  sluice put server vote/1 '"http://10.0.0.1:80"' --ttl 10s
  sluice put frontend vote '{"route":"Host(\\"vote.example\\")","backend":"vote"}'

Exit 0: it is written, and durable as far as the registry promises; 1: it is not, with the reason; 2: wrong usage.`,

  delete: `usage: sluice delete KIND ID [flags]

${flagLines(OBJECT_FLAGS.delete)}

${KINDS}
Exit 0: deleted; 1: it was not there, or could not be deleted; 2: wrong usage.`,

  get: `usage: sluice get [KIND [ID]] [flags]

${flagLines(OBJECT_FLAGS.get)}

${KINDS}
Prints a line of JSON for each object: kind, id, revision, ttlMs (what is left to live, where it ends), value.
Exit 0; 1: it is not there, or cannot be read; 2: wrong usage.`,

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
