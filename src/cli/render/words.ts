/** The words of `sluice render`. Those of confd have its names. */
import { quote } from '../../model/parsed.ts'
import { type PlaceWords, PLACE_FLAGS, readPlace } from '../place-words.ts'
import type { CommandSpec, Flags, Words } from '../spec.ts'

export type RenderCommand =
  | { readonly kind: 'render'; readonly flags: ConfdFlags }
  /** Prints one template over the table of a running Sluice. */
  | { readonly kind: 'render-template'; readonly file: string; readonly place: PlaceWords }

export interface ConfdFlags {
  /** By name; '' for a switch that is on. */
  readonly flags: Words['flags']
  readonly nodes: readonly string[]
  readonly files: readonly string[]
}

const CONFD_FLAGS: Flags = {
  confdir: {
    value: 'FOLDER',
    text: 'with conf.d and templates',
    default: '/etc/confd',
    completes: 'folder',
  },
  'config-file': {
    value: 'FILE',
    text: 'settings of confd, below these flags',
    default: 'CONFDIR/confd.toml, if it is there',
    completes: 'file',
  },
  backend: {
    value: 'KIND',
    text: 'where keys are: etcd, etcdv3, consul, redis, zookeeper, env or file',
    default: 'etcd',
    completes: ['etcd', 'etcdv3', 'consul', 'redis', 'zookeeper', 'env', 'file'],
  },
  node: { value: 'URL', text: 'of the registry', isRepeated: true },
  file: {
    value: 'PATH',
    text: 'YAML or JSON, or a folder of such, with --backend file',
    isRepeated: true,
    completes: 'file',
  },
  prefix: { value: 'KEY', text: 'what all keys begin with, in place of that of each resource' },
  onetime: { value: '', text: 'render once and exit' },
  watch: { value: '', text: 'render when a key changes' },
  interval: {
    value: 'SECONDS',
    text: 'how often to render without --watch',
    default: '600',
  },
  noop: { value: '', text: 'change no file; say which would change' },
  'sync-only': { value: '', text: 'run no check_cmd and no reload_cmd' },
  'keep-stage-file': { value: '', text: 'keep the staged files' },
  timeout: {
    value: 'DURATION',
    text: 'of each check_cmd and reload_cmd',
    default: '60s',
  },
  'secret-keyring': {
    value: 'FILE',
    text: 'armored OpenPGP secret keys, for cget, cgets, cgetv and cgetvs',
    completes: 'file',
  },
  'client-ca-keys': { value: 'FILE', text: 'authorities of the registry', completes: 'file' },
  'client-cert': { value: 'FILE', text: 'certificate for the registry', completes: 'file' },
  'client-key': {
    value: 'FILE',
    text: 'its key; of Redis: the password, as in confd',
    completes: 'file',
  },
  scheme: {
    value: 'SCHEME',
    text: 'of nodes without one: http or https',
    default: 'http',
    completes: ['http', 'https'],
  },
  'basic-auth': { value: '', text: 'log in with --username and --password' },
  username: { value: 'NAME', text: 'to log in as' },
  password: { value: 'TEXT', text: 'to log in with' },
  'log-level': {
    value: 'LEVEL',
    text: 'the least severe level that is printed: debug, info, warn or error',
    default: 'info',
    completes: ['debug', 'info', 'warn', 'error'],
  },
}

export const RENDER: CommandSpec<RenderCommand> = {
  name: 'render',
  usage: ['[flags]', '--template FILE [--config FILE | --admin-address ADDRESS | --vulcan URL]'],
  summary: "render confd's templates, or print one",
  forms: [
    "render the templates of confd's folders: what confd does",
    'print one template over the routing table of a running Sluice',
  ],
  flags: {
    ...CONFD_FLAGS,
    template: { value: 'FILE', text: 'the template to print', completes: 'file' },
    ...PLACE_FLAGS,
  },
  text: [
    "Reads the template resources below CONFDIR/conf.d and the templates in CONFDIR/templates, and keeps each file as its template has it: staged, checked, renamed, reloaded. Without --onetime it runs until SIGTERM. A registry that is away changes nothing. Templates of Sluice's own settings need no command: sluice serve renders them.",
    '--template prints, and writes no file. It reads no keys.',
  ],
  examples: [
    'sluice render --onetime --backend etcd --node http://127.0.0.1:2379',
    'sluice render --watch --backend consul --prefix /production',
    'sluice render --template haproxy.cfg.tmpl',
  ],
  exits:
    'Exit 0: rendered, or without --onetime ended by a signal; 1: a template failed, or a signal came before all was rendered, with the reason; 2: wrong usage.',
  isGo: true,
  parse: parseRender,
}

function parseRender(words: Words): RenderCommand | string {
  const { flags, positionals, given } = words
  const [extra] = positionals
  if (extra !== undefined) return `render takes no ${quote(extra)}`
  const { template } = flags
  const isConfd = (name: string): boolean => Object.hasOwn(CONFD_FLAGS, name)
  if (template !== undefined) {
    const other = Object.keys(flags).find(isConfd)
    if (other !== undefined) return `--${other} is not used with --template`
    const place = readPlace(words)
    return typeof place === 'string' ? place : { kind: 'render-template', file: template, place }
  }
  const other = Object.keys(flags).find((name) => Object.hasOwn(PLACE_FLAGS, name))
  if (other !== undefined) return `--${other} is used with --template only`
  const all = (name: string): readonly string[] =>
    given.flatMap(([one, value]) => (one === name ? [value] : []))
  return { kind: 'render', flags: { flags, nodes: all('node'), files: all('file') } }
}
