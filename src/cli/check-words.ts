/** The words of `sluice check`. */
import { quote } from '../model/parsed.ts'
import type { CommandSpec } from './spec.ts'

export type CheckCommand =
  | { readonly kind: 'check'; readonly file: string }
  | { readonly kind: 'check-synapse'; readonly file: string }
  /** `from`: a kind or a name of a source, or a file of another proxy. `config`: null: there is none. */
  | { readonly kind: 'check-from'; readonly from: string; readonly config: string | null }

export const CHECK: CommandSpec<CheckCommand> = {
  name: 'check',
  usage: ['FILE', '--from WHAT [FILE]', '--synapse FILE'],
  summary: 'report the problems of a file, with line and column',
  forms: [
    'report the problems of a file, with line and column',
    'print what Sluice would do of the configuration of another proxy',
    'report what of a configuration of synapse is not honoured',
  ],
  flags: {
    from: {
      value: 'WHAT',
      text: 'what Sluice would do of docker, consul, or the file of another proxy',
      completes: 'file',
    },
    synapse: {
      value: 'FILE',
      text: 'what serve --synapse does with a configuration of synapse or frontrunner',
      completes: 'file',
    },
  },
  positionals: ['file'],
  text: [
    'Prints each problem as FILE:LINE:COLUMN: kind id: message. A "warning:" before the kind is about an object that is in force but does not do what it says: two equal routes, a route that another one shadows, a certificate that expires within 14 days, a template that would be sent as it is. A "hint:" is about an unused object: a backend without a frontend.',
    '--from takes the name of a source in FILE, a kind of source (docker, consul ...) with its defaults, or a file: a compose file, a dynamic configuration of Traefik, routes of fabio. It prints a line for each fact, with its container, service or key: "maps", "differs", "not there" or "note". Exit 0: all of it maps, except for notes; else 1.',
    '--synapse reads the file only, not the registries that it names: a problem is what keeps a service from being served, a warning is a line without a counterpart, a hint is a line that is not needed.',
  ],
  examples: ['sluice check --from docker', 'sluice check --from docker-compose.yml sluice.yaml'],
  exits: 'Exit 0: no problems, except for hints; 1: there are problems; 2: wrong usage.',
  parse({ flags: { from, synapse }, positionals: [file, extra] }) {
    if (synapse !== undefined) {
      if (file === undefined && from === undefined) return { kind: 'check-synapse', file: synapse }
      return `check --synapse takes no ${quote(file ?? '--from')}`
    }
    if (from !== undefined && extra === undefined) {
      return { kind: 'check-from', from, config: file ?? null }
    }
    if (file === undefined) return 'check needs the file to check'
    if (extra !== undefined) return `check takes one file, ${quote(extra)} is too many`
    return { kind: 'check', file }
  },
}
