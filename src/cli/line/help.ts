/** The texts of --help. */
import { type Flags, type Group } from '../spec.ts'
import { shownFlag } from '../words.ts'
import { wrap } from '../wrap.ts'
import { ALONE, GROUPS, membersOf, type Spec } from './catalog.ts'

const WIDTH = 110
const LEAST_FLAG_WIDTH = 24

export function helpText(): string {
  const rows = ALONE.map(({ name, summary }) => [name, summary] as const)
  const groups = GROUPS.map((group) => [group.name, groupSummary(group)] as const)
  return [
    'Sluice, a dynamic HTTP and TCP load balancer',
    'usage: sluice COMMAND',
    columns(rows, 12),
    'As vctl of vulcand:',
    columns(groups, 12),
    'sluice COMMAND --help prints the flags of a command.',
  ].join('\n\n')
}

export function helpOfGroup(group: Group): string {
  const members = membersOf(group.name)
  const rows = members.map(({ name, summary }) => [name, summary] as const)
  return [
    `usage: sluice ${group.name} COMMAND`,
    columns(rows, 20),
    `sluice ${group.name} COMMAND --help prints the flags of a command.`,
  ].join('\n\n')
}

export function helpOf(spec: Spec): string {
  const { text = [], examples = [], flags, exits } = spec
  const parts = [
    usageLines(spec)
      .map((line, at) => (at === 0 ? `usage: ${line}` : `       ${line}`))
      .join('\n'),
    flagLines(flags),
    ...text.map((paragraph) => wrap(paragraph, WIDTH).join('\n')),
    examples.map((line) => `  ${line}`).join('\n'),
    wrap(exits, WIDTH).join('\n'),
  ]
  return parts.filter((part) => part !== '').join('\n\n')
}

export function usageLines({ name, usage }: Spec): readonly string[] {
  return usage.map((form) => `sluice ${name} ${form}`.trimEnd())
}

/** `backends: ls, show, upsert, rm`. */
function groupSummary({ name, summary }: Group): string {
  const verbs = membersOf(name).map((spec) => spec.name.slice(name.length + 1))
  return `${summary}: ${verbs.join(', ')}`
}

function flagLines(flags: Flags): string {
  const rows = Object.entries(flags).map(([name, flag]) => {
    const notes = [flag.default, flag.variable].filter((note) => note !== undefined)
    const more = flag.isRepeated === true ? '; may be repeated' : ''
    const behind = notes.length === 0 ? '' : ` (${notes.join('; ')})`
    return [shownFlag(name, flag), flag.text + more + behind] as const
  })
  return columns(rows, LEAST_FLAG_WIDTH)
}

function columns(rows: readonly (readonly [string, string])[], least: number): string {
  const width = Math.max(least, ...rows.map(([left]) => left.length)) + 2
  return rows.map(([left, right]) => `  ${left.padEnd(width)}${right}`.trimEnd()).join('\n')
}
