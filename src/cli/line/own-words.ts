/** The words of the commands about the command line itself. */
import { quote } from '../../model/parsed.ts'
import { didYouMean } from '../../model/suggest.ts'
import type { CommandSpec } from '../spec.ts'

export const SHELLS = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof SHELLS)[number]

export type OwnCommand =
  | { readonly kind: 'version' }
  | { readonly kind: 'explain'; readonly topic: string }
  | { readonly kind: 'man' }
  | { readonly kind: 'completion'; readonly shell: Shell }
  /** `words`: behind the name of the program; the last one is completed. */
  | { readonly kind: 'complete'; readonly words: readonly string[] }

export const VERSION: CommandSpec<OwnCommand> = {
  name: 'version',
  usage: [''],
  summary: 'print the versions of Sluice and Node',
  flags: {},
  exits: 'Exit 0.',
  parse: ({ positionals: [extra] }) =>
    extra === undefined ? { kind: 'version' } : `version takes no ${quote(extra)}`,
}

export const HELP: CommandSpec<OwnCommand> = {
  name: 'help',
  usage: ['[COMMAND]'],
  summary: 'print the flags of a command, as sluice COMMAND --help does',
  flags: {},
  exits: 'Exit 0; 2: there is no such command.',
  parse: ({ positionals }) => ({ kind: 'explain', topic: positionals.join(' ') }),
}

export const MAN: CommandSpec<OwnCommand> = {
  name: 'man',
  usage: [''],
  summary: 'print the manual page',
  flags: {},
  examples: ['sluice man | man -l -', 'sluice man > /usr/local/share/man/man1/sluice.1'],
  exits: 'Exit 0.',
  parse: ({ positionals: [extra] }) =>
    extra === undefined ? { kind: 'man' } : `man takes no ${quote(extra)}`,
}

export const COMPLETION: CommandSpec<OwnCommand> = {
  name: 'completion',
  usage: ['SHELL'],
  summary: 'print what makes bash, zsh or fish complete commands, flags and ids',
  flags: {},
  positionals: [SHELLS],
  text: [
    'Ids of objects are those of the Sluice that runs at the admin address of the line, or at the one of SLUICE_CONFIG; it has half a second to respond.',
  ],
  examples: [
    'eval "$(sluice completion bash)"',
    'source <(sluice completion zsh)',
    'sluice completion fish | source',
  ],
  exits: 'Exit 0; 2: there is no such shell.',
  parse({ positionals: [word, extra] }) {
    const shell = SHELLS.find((one) => one === word)
    if (shell !== undefined && extra === undefined) return { kind: 'completion', shell }
    if (word === undefined) return `completion needs a shell: ${SHELLS.join(', ')}`
    return shell === undefined
      ? `there is no completion for ${quote(word)}${didYouMean(word, SHELLS)}; it is there for ${SHELLS.join(', ')}`
      : `completion takes one shell, ${quote(extra)} is too many`
  },
}

export const COMPLETE: CommandSpec<OwnCommand> = {
  name: '__complete',
  usage: ['WORD...'],
  summary: 'print what the last word may become, for the scripts of completion',
  flags: {},
  exits: 'Exit 0.',
  isHidden: true,
  isRaw: true,
  parse: ({ positionals }) => ({ kind: 'complete', words: positionals }),
}
