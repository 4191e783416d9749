/** The words of `sluice import vulcand`: where the keys are, and what is made of them. */
import { isBaseUrl } from '../../client/base-url.ts'
import { quote } from '../../model/parsed.ts'
import type { CommandSpec, Flags } from '../spec.ts'

export type ImportFrom =
  | {
      readonly kind: 'etcd'
      readonly endpoints: string
      readonly prefix: string
      readonly username: string | null
      readonly password: string | null
      /** Paths. */
      readonly ca: string | null
      readonly cert: string | null
      readonly key: string | null
      readonly verify: boolean
    }
  /** `url`: of vulcand's API. */
  | { readonly kind: 'api'; readonly url: string }
  /** `path`: keys and values that etcdctl has printed. */
  | { readonly kind: 'dump'; readonly path: string; readonly prefix: string }

export interface ImportCommand {
  readonly kind: 'import'
  readonly from: ImportFrom
  /** 64 hexadecimal digits; null: key pairs stay sealed. */
  readonly sealKey: string | null
  readonly json: boolean
  /** The file of Sluice to write; null: none is written. */
  readonly write: string | null
}

export const IMPORT_FLAGS: Flags = {
  etcd: { value: 'URLS', text: 'the etcd of vulcand: http://127.0.0.1:2379, several with commas' },
  api: { value: 'URL', text: 'the API of a vulcand that runs: http://127.0.0.1:8182' },
  dump: {
    value: 'FILE',
    text: 'what etcdctl get --prefix PREFIX has printed, plain or -w json',
    completes: 'file',
  },
  prefix: { value: 'PREFIX', text: "vulcand's -etcdKey, to the letter", default: 'vulcand' },
  username: { value: 'NAME', text: 'of etcd' },
  password: { value: 'TEXT', text: 'of etcd; better in the variable', variable: 'ETCD_PASSWORD' },
  ca: { value: 'FILE', text: 'the authorities of etcd', completes: 'file' },
  cert: { value: 'FILE', text: 'the certificate with which to log in to etcd', completes: 'file' },
  key: { value: 'FILE', text: 'the key of --cert', completes: 'file' },
  insecure: { value: '', text: 'do not verify the certificate of etcd' },
  'seal-key': {
    value: 'HEX',
    text: "vulcand's -sealKey; better in the variable",
    variable: 'SEAL_KEY',
  },
  json: { value: '', text: 'print the rows as JSON' },
  write: {
    value: 'FILE',
    text: 'write the objects as a file of Sluice: YAML, or JSON by its extension',
    completes: 'file',
  },
}

export const IMPORT: CommandSpec<ImportCommand> = {
  name: 'import',
  usage: ['vulcand [flags]'],
  summary: "print what Sluice makes of vulcand's objects, and what would differ",
  flags: IMPORT_FLAGS,
  positionals: [['vulcand']],
  text: [
    'Reads the objects from an etcd 3, from the API of a vulcand that runs, or from a dump of keys, and changes nothing there. It prints a line for each fact, with its key: "maps"; "differs": it is in force, and a part of it means something else, or a request takes another route; "not there": it is set aside, or closed with 503; "note": vulcand has a defect or a rule of its own here.',
  ],
  examples: [
    'sluice import vulcand --etcd http://127.0.0.1:2379 --prefix /vulcand',
    'sluice import vulcand --api http://127.0.0.1:8182 --write sluice.yaml',
  ],
  exits:
    'Exit 0: nothing differs, except for notes; 1: something differs; 2: the objects cannot be read, FILE cannot be written, or wrong usage.',
  parse: ({ positionals, flags }) => parseImportWords(positionals, flags, process.env),
}

/** Returns the mistake as a text. */
export function parseImportWords(
  positionals: readonly string[],
  flags: Readonly<Partial<Record<string, string>>>,
  env: Readonly<Record<string, string | undefined>>,
): ImportCommand | string {
  const [what, extra] = positionals
  if (what === undefined) return 'import needs what to import: sluice import vulcand --etcd URL'
  if (what !== 'vulcand') return `import knows vulcand, not ${quote(what)}`
  if (extra !== undefined) return `import vulcand takes no ${quote(extra)}`
  const from = fromOf(flags, env)
  if (typeof from === 'string') return from
  const sealKey = flags['seal-key'] ?? (env['SEAL_KEY'] || null)
  if (sealKey !== null && !/^[0-9a-f]{64}$/i.test(sealKey)) {
    return '--seal-key must be 64 hexadecimal digits, as -sealKey of vulcand'
  }
  return {
    kind: 'import',
    from,
    sealKey,
    json: flags['json'] !== undefined,
    write: flags['write'] ?? null,
  }
}

const OF_ETCD = ['username', 'password', 'ca', 'cert', 'key', 'insecure'] as const

function fromOf(
  flags: Readonly<Partial<Record<string, string>>>,
  env: Readonly<Record<string, string | undefined>>,
): ImportFrom | string {
  const { etcd, api, dump, prefix = 'vulcand' } = flags
  const given = ['etcd', 'api', 'dump'].filter((name) => flags[name] !== undefined)
  if (given.length !== 1) return 'import vulcand needs one of --etcd, --api and --dump'
  const [idle] = [
    ...(etcd === undefined ? OF_ETCD : []),
    ...(api === undefined ? [] : ['prefix']),
  ].filter((name) => flags[name] !== undefined)
  if (idle !== undefined) return `--${idle} has no effect with --${given[0] ?? ''}`
  if (api !== undefined) {
    if (isBaseUrl(api)) return { kind: 'api', url: api }
    return `--api must be http://HOST:PORT, https://HOST:PORT or unix:/PATH, not ${quote(api)}`
  }
  if (dump !== undefined) return { kind: 'dump', path: dump, prefix }
  return {
    kind: 'etcd',
    endpoints: etcd ?? '',
    prefix,
    username: flags['username'] ?? null,
    password:
      flags['password'] ??
      (flags['username'] === undefined ? null : (env['ETCD_PASSWORD'] ?? null)),
    ca: flags['ca'] ?? null,
    cert: flags['cert'] ?? null,
    key: flags['key'] ?? null,
    verify: flags['insecure'] === undefined,
  }
}
