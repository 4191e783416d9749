/** The words of `log` and `secret`, as vctl has them. */
import { quote } from '../../model/parsed.ts'
import { didYouMean } from '../../model/suggest.ts'
import type { CommandSpec, Flag } from '../spec.ts'
import type { VctlCommand } from './command.ts'
import { Mistake } from './flags.ts'
import { vctlSpec } from './specs.ts'

const SEVERITIES = ['panic', 'fatal', 'error', 'warning', 'info', 'debug', 'trace']

export const LOG_SPECS: readonly CommandSpec<VctlCommand>[] = [
  vctlSpec({
    name: 'log set_severity',
    summary: 'change the least severe level that is logged, until the program ends',
    flags: {
      severity: {
        ...{ value: 'SEVERITY', text: SEVERITIES.join(', '), aliases: ['s'] },
        completes: SEVERITIES,
      },
    },
    examples: ['sluice log set_severity -s debug'],
    call({ flags }) {
      const severity = (flags['severity'] ?? '').toLowerCase()
      if (severity === 'warn' || SEVERITIES.includes(severity)) {
        return { verb: 'set_severity', severity }
      }
      throw new Mistake(
        severity === ''
          ? 'log set_severity needs --severity'
          : `--severity must be one of ${SEVERITIES.join(', ')}, not ${quote(severity)}${didYouMean(severity, SEVERITIES)}`,
      )
    },
  }),
  vctlSpec({
    name: 'log get_severity',
    summary: 'print the least severe level that is logged',
    flags: {},
    call: () => ({ verb: 'get_severity' }),
  }),
]

/** `file`: null: standard output. */
export type SecretCommand =
  | { readonly kind: 'new-key'; readonly file: string | null }
  | {
      readonly kind: 'seal-keypair'
      readonly file: string | null
      readonly sealKey: string
      readonly privateKey: string
      readonly cert: string
    }

const FILE: Flag = {
  value: 'FILE',
  text: 'where it is written to, with mode 0600',
  default: 'stdout',
  aliases: ['f'],
  completes: 'file',
}
/** vctl takes it with every command, so scripts set it once for all of them. */
const VULCAN: Flag = { value: 'URL', text: 'has no effect here: no Sluice is asked' }
const EXITS = 'Exit 0: written; 1: not written, with the reason; 2: wrong usage.'

export const SECRET_SPECS: readonly CommandSpec<SecretCommand>[] = [
  {
    name: 'secret new_key',
    usage: ['[flags]'],
    summary: 'make a key that seals key pairs',
    flags: { file: FILE, vulcan: VULCAN },
    examples: ['sluice secret new_key -f seal.key'],
    exits: EXITS,
    isGo: true,
    parse: ({ flags, positionals: [extra] }) =>
      extra === undefined
        ? { kind: 'new-key', file: flags['file'] ?? null }
        : `secret new_key takes flags only, not ${quote(extra)}`,
  },
  {
    name: 'secret seal_keypair',
    usage: ['[flags]'],
    summary: 'seal the private key and the certificate of a host',
    flags: {
      file: FILE,
      sealKey: { value: 'KEY', text: 'the key: 64 hex digits' },
      privateKey: { value: 'FILE', text: 'the private key, PEM', completes: 'file' },
      cert: { value: 'FILE', text: 'the certificate and its chain, PEM', completes: 'file' },
      vulcan: VULCAN,
    },
    text: [
      'Prints JSON, whose base64 is the KeyPair of a host in a registry with the layout of vulcand. The key is on the command line for others on the machine to see: --sealKey @FILE reads it from a file.',
    ],
    examples: [
      'sluice secret seal_keypair --sealKey @seal.key --privateKey a.key --cert a.crt | base64 -w0',
    ],
    exits: EXITS,
    isGo: true,
    parse({ flags, positionals: [extra] }) {
      if (extra !== undefined) return `secret seal_keypair takes flags only, not ${quote(extra)}`
      const { file = null, sealKey = '', privateKey = '', cert = '' } = flags
      for (const [name, value] of Object.entries({ sealKey, privateKey, cert })) {
        if (value === '') return `secret seal_keypair needs --${name}`
      }
      return { kind: 'seal-keypair', file, sealKey, privateKey, cert }
    },
  },
]
