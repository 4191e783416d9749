/** The texts of --help. The flags of each command are listed here once; command-line.ts accepts exactly these. */
import type { SettingName } from '../schema/resolve-settings.ts'

/** Each has its text in TEXTS and its case in `parseCommandLine`. */
export const COMMANDS = [
  'serve',
  'check',
  'put',
  'delete',
  'get',
  'healthcheck',
  'bench',
  'version',
] as const

export type Topic = 'sluice' | (typeof COMMANDS)[number]

interface FlagHelp {
  /** '': the flag takes no value. */
  readonly value: string
  readonly text: string
}

const CONFIG: FlagHelp = {
  value: 'FILE',
  text: 'the configuration: YAML, or JSON by its extension (SLUICE_CONFIG)',
}
const ADMIN_ADDRESS: FlagHelp = { value: 'ADDRESS', text: 'of the admin listener (127.0.0.1:8182)' }

export const SERVE_FLAGS: Readonly<Record<SettingName | 'config' | 'synapse', FlagHelp>> = {
  config: CONFIG,
  synapse: { value: 'FILE', text: 'a configuration of synapse or frontrunner, to serve as it is' },
  workers: {
    value: 'N',
    text: 'serving threads; auto (default): one per core; 0: in the main thread',
  },
  'admin-address': ADMIN_ADDRESS,
  'admin-hosts': {
    value: 'HOSTS',
    text: 'further names of the admin in Host: sluice.monitoring,*.internal',
  },
  'admin-anonymous': {
    value: 'ROLE',
    text: 'what clients of the admin may do without a token: none, metrics, read, drain or write',
  },
  trusted: { value: 'BLOCKS', text: 'peers whose forwarding headers are trusted: 10.0.0.0/8,::1' },
  'log-level': {
    value: 'LEVEL',
    text: 'fatal, error, warn, info (default), debug, trace or silent',
  },
  'log-access': { value: 'FORM', text: 'access log: json (default), common, combined or off' },
  'log-path': { value: 'PATH', text: 'append the logs to a file; stdout by default' },
  data: { value: 'FOLDER', text: 'where Sluice keeps its own files (/var/lib/sluice)' },
  drain: { value: 'DURATION', text: 'how long a stop waits for requests in flight (30s)' },
}

export const CHECK_FLAGS: Readonly<Record<'from' | 'synapse', FlagHelp>> = {
  from: {
    value: 'WHAT',
    text: 'what Sluice would do of docker, consul, or the file of another proxy',
  },
  synapse: {
    value: 'FILE',
    text: 'what serve --synapse does with a configuration of synapse or frontrunner',
  },
}

export const HEALTHCHECK_FLAGS: Readonly<Record<'config' | 'admin-address' | 'wait', FlagHelp>> = {
  config: {
    value: 'FILE',
    text: 'the configuration with the address of the admin (SLUICE_CONFIG)',
  },
  'admin-address': ADMIN_ADDRESS,
  wait: { value: 'DURATION', text: 'retry until it is ready, at most this long: 10s' },
}

export const BENCH_FLAGS: Readonly<Record<string, FlagHelp>> = {
  direct: {
    value: 'URL',
    text: 'what is requested past Sluice; by default the servers that it has',
  },
  via: { value: 'ADDRESS', text: 'of the listener; by default the one at the port of URL' },
  host: { value: 'HOST', text: 'sent as Host; by default that of URL' },
  connections: { value: 'N', text: 'at once, each way (32)' },
  duration: { value: 'DURATION', text: 'of all measuring, up to 10m (20s)' },
  rounds: { value: 'N', text: 'windows of load each way, in turn (4)' },
  rate: { value: 'N', text: 'requests/s each way, at steady times, instead of two phases' },
  method: { value: 'METHOD', text: 'GET (default), HEAD, POST, PUT, PATCH, DELETE or OPTIONS' },
  header: { value: "'NAME: VALUE'", text: 'sent with each request; may be repeated' },
  body: {
    value: 'TEXT',
    text: 'sent with each request; @FILE reads a file; then POST is the default',
  },
  picture: { value: 'FILE.svg', text: 'draws the latencies' },
  json: { value: '', text: 'prints the result as JSON' },
  public: { value: '', text: 'may load addresses that are not of a private network' },
  config: HEALTHCHECK_FLAGS.config,
  'admin-address': ADMIN_ADDRESS,
}

const WHERE = {
  source: { value: 'NAME', text: 'the registry, if the file names several' },
  config: { value: 'FILE', text: 'the configuration with the registry (SLUICE_CONFIG)' },
  data: {
    value: 'FOLDER',
    text: 'where the embedded store is; by default that of the running program',
  },
}
const EXPECT: FlagHelp = {
  value: 'REVISION',
  text: 'only if the object has this revision; none: only if it does not exist',
}

export const OBJECT_FLAGS: Readonly<
  Record<'put' | 'delete' | 'get', Readonly<Record<string, FlagHelp>>>
> = {
  put: {
    ttl: { value: 'DURATION', text: 'the object expires unless it is put again: 10s, 500ms' },
    expect: EXPECT,
    ...WHERE,
  },
  delete: { expect: EXPECT, ...WHERE },
  get: WHERE,
}

const KINDS = `KIND is listener, host, backend, server, frontend or middleware. The ID of a server is BACKEND/SERVER,
that of a middleware FRONTEND/MIDDLEWARE.`

const TEXTS: Readonly<Record<Topic, string>> = {
  sluice: `Sluice, a dynamic HTTP and TCP load balancer

usage: sluice COMMAND

  serve        serve a configuration and follow its changes
  check FILE   report the problems of a file, with line and column; exit 1 if there are any
  put          write an object to the registry: sluice put KIND ID JSON
  delete       delete one: sluice delete KIND ID
  get          print one, or all: sluice get [KIND [ID]]
  healthcheck  check whether a running Sluice is ready; exit 0 if so, else 1
  bench URL    measure a URL through Sluice and past it, and what Sluice adds
  version      print the versions of Sluice and Node

sluice COMMAND --help prints the flags of a command.`,

  serve: `usage: sluice serve [--config FILE] [--synapse FILE] [flags]

${flagLines(SERVE_FLAGS)}

Each flag has an environment variable (SLUICE_LOG_LEVEL for --log-level) and a key in the file. A flag takes
precedence over the variable, the variable over the file, the file over the default.
SIGTERM drains and stops, SIGHUP reads the file and all sources again.`,

  check: `usage: sluice check FILE
       sluice check --from WHAT [FILE]
       sluice check --synapse FILE

${flagLines(CHECK_FLAGS)}

Prints each problem as FILE:LINE:COLUMN: kind id: message. A "warning:" before the kind is about an object that is in
force but does not do what it says: two equal routes, a route that another one shadows, a certificate that expires
within 14 days, a template that would be sent as it is. A "hint:" is about an unused object: a backend without a
frontend. Exit 0: no problems, except for hints; 1: there are problems.

--from takes the name of a source in FILE, a kind of source (docker, consul ...) with its defaults, or a file: a
compose file, a dynamic configuration of Traefik, routes of fabio. It prints a line for each fact, with its container,
service or key: "maps", "differs", "not there" or "note". Exit 0: all of it maps, except for notes; else 1.

--synapse reads the file only, not the registries that it names: a problem is what keeps a service from being served,
a warning is a line without a counterpart, a hint is a line that is not needed.

  sluice check --from docker
  sluice check --from docker-compose.yml sluice.yaml`,

  put: `usage: sluice put KIND ID [JSON|-] [flags]

${flagLines(OBJECT_FLAGS.put)}

${KINDS}
JSON is the object in the form of the file; with - or nothing it is read from standard input. An object that would be
rejected is not written.

  sluice put server vote/1 '"http://10.0.0.1:80"' --ttl 10s
  sluice put frontend vote '{"route":"Host(\\"vote.example\\")","backend":"vote"}'

Exit 0: written, as durable as the registry guarantees; 1: not written, with the reason; 2: wrong usage.`,

  delete: `usage: sluice delete KIND ID [flags]

${flagLines(OBJECT_FLAGS.delete)}

${KINDS}
Exit 0: deleted; 1: it did not exist or could not be deleted; 2: wrong usage.`,

  get: `usage: sluice get [KIND [ID]] [flags]

${flagLines(OBJECT_FLAGS.get)}

${KINDS}
Prints a line of JSON for each object: kind, id, revision, ttlMs (the remaining time to live, if it has one), value.
Exit 0; 1: it does not exist or cannot be read; 2: wrong usage.`,

  healthcheck: `usage: sluice healthcheck [flags]

${flagLines(HEALTHCHECK_FLAGS)}

Exit 0: ready; 1: not ready, with the reason.`,

  bench: `usage: sluice bench URL [flags]

${flagLines(BENCH_FLAGS)}

Measures URL through the running Sluice and directly at the servers of its backend, in turn: first as fast as responses
come, then latencies at a rate that both ways can keep. If no Sluice listens at URL, URL is taken for a server, and a
Sluice is started in front of it and ended afterwards.

  sluice bench http://shop.localhost:8080/cart
  sluice bench http://127.0.0.1:5001/ --picture latency.svg

Exit 0: measured; 1: not measured, with the reason; 2: wrong usage.`,

  version: 'usage: sluice version',
}

export function helpText(topic: Topic): string {
  return TEXTS[topic]
}

function flagLines(flags: Readonly<Record<string, FlagHelp>>): string {
  const lines = Object.entries(flags).map(
    ([name, { value, text }]) => `  ${`--${name} ${value}`.trimEnd().padEnd(26)}${text}`,
  )
  return lines.join('\n')
}
