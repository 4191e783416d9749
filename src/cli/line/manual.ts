/** The manual page sluice(1), in roff with the macros of man(7). */
import type { Flag } from '../spec.ts'
import { ALONE, GROUPS, LISTED, membersOf, type Spec } from './catalog.ts'
import { usageLines } from './help.ts'

export function manualText(version: string): string {
  const lines = [
    `.TH SLUICE 1 "" "Sluice ${version}" "User Commands"`,
    ...section('NAME', [String.raw`sluice \- a dynamic HTTP and TCP load balancer`]),
    ...section('SYNOPSIS', [
      String.raw`\fBsluice\fR \fICOMMAND\fR [\fIARGUMENT\fR]... [\fIFLAG\fR]...`,
    ]),
    ...section('DESCRIPTION', [
      plain(
        'Sluice balances HTTP requests and TCP connections over healthy servers. What it routes is declared in a file or a registry and changes while it runs.',
      ),
    ]),
    ...section('COMMANDS', ALONE.flatMap(commandLines)),
    ...GROUPS.flatMap((group) =>
      section(
        `COMMANDS OF ${group.name.toUpperCase()}`,
        membersOf(group.name).flatMap(commandLines),
      ),
    ),
    ...section(
      'ENVIRONMENT',
      variables().flatMap(([name, text]) => term(bold(name), text)),
    ),
    ...section('FILES', [
      ...term(bold('/etc/sluice/sluice.yaml'), 'the configuration, if no other one is named'),
      ...term(bold('/var/lib/sluice'), 'the data of Sluice itself'),
    ]),
    ...section('EXIT STATUS', [
      ...term(bold('0'), 'done'),
      ...term(bold('1'), 'not done; standard error says why'),
      ...term(bold('2'), 'wrong usage'),
    ]),
    ...section('SEE ALSO', [
      plain('docs/cli.md, docs/configuration.md and docs/api.md of Sluice; curl(1)'),
    ]),
  ]
  return `${lines.join('\n')}\n`
}

function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : [`.SH ${JSON.stringify(title)}`, ...lines]
}

function commandLines(spec: Spec): readonly string[] {
  const { name, summary, flags, text = [], examples = [], exits } = spec
  return [
    `.SS ${JSON.stringify(`sluice ${name}`)}`,
    plain(`${summary.slice(0, 1).toUpperCase()}${summary.slice(1)}.`),
    ...code(usageLines(spec)),
    ...Object.entries(flags).flatMap(([flag, of]) => flagLines(flag, of)),
    ...text.flatMap((paragraph) => ['.PP', plain(paragraph)]),
    ...(examples.length === 0 ? [] : ['.PP', 'Examples:', ...code(examples)]),
    '.PP',
    plain(exits),
  ]
}

function flagLines(name: string, flag: Flag): readonly string[] {
  const aliases = (flag.aliases ?? []).map((alias) => `-${alias}`)
  const names = [`--${name}`, ...aliases].map(bold).join(', ')
  const value = flag.value === '' ? '' : ` \\fI${escape(flag.value)}\\fR`
  const more = [
    flag.isRepeated === true ? 'may be repeated' : '',
    flag.default === undefined ? '' : `default: ${flag.default}`,
    flag.variable === undefined ? '' : `variable: ${flag.variable}`,
  ].filter((note) => note !== '')
  return term(names + value, [flag.text, ...more].join('; '))
}

function variables(): readonly (readonly [name: string, text: string])[] {
  const found = new Map<string, string>()
  for (const { flags } of LISTED) {
    for (const { variable, text } of Object.values(flags)) {
      if (variable !== undefined && !found.has(variable)) found.set(variable, text)
    }
  }
  found.set('SLUICE_TOKEN', 'the token that commands send to an admin that needs one')
  found.set('NO_COLOR', 'if it is set, nothing is coloured')
  return [...found]
}

/** A tagged paragraph. */
function term(tag: string, text: string): readonly string[] {
  return ['.TP', tag, plain(text)]
}

function code(lines: readonly string[]): readonly string[] {
  return ['.PP', '.in +4n', '.EX', ...lines.map(plain), '.EE', '.in']
}

function bold(text: string): string {
  return `\\fB${escape(text)}\\fR`
}

/** A line of text: a dot or a quote at its start would be a request. */
function plain(text: string): string {
  return escape(text).replace(/^(?=[.'])/, '\\&')
}

function escape(text: string): string {
  return text.replaceAll('\\', '\\e').replaceAll('-', '\\-')
}
