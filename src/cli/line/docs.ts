/** The tables of docs/cli.md. */
import type { Flag, Flags } from '../spec.ts'
import { COMMON } from '../vctl/flags.ts'
import { shownFlag } from '../words.ts'
import { ALONE, GROUPS, groupOf, LISTED, membersOf, type Spec } from './catalog.ts'
import { usageLines } from './help.ts'

/** The heading of the flags that all commands of vctl have. */
export const COMMON_TITLE = 'Commands of vctl'

/**
 * The page with its tables of commands and flags written anew. The section of a command, of a group, or of several commands
 * (`put, delete, get`) has a table that begins with `| Flag |`.
 */
export function withCommandTables(page: string): string {
  const parts = page.split(/^(?=##+ )/m)
  return parts
    .map((part) => {
      const [, title = null] = /^##+ (.*)/.exec(part) ?? []
      if (title === null) return withTable(part, '| Command |', commandTable())
      return withTable(part, '| Flag |', tableOf(title))
    })
    .join('')
}

/** '': it has none. */
function tableOf(title: string): string {
  if (title === COMMON_TITLE) return flagTable(COMMON, [])
  const specs = specsOf(title)
  const isGroup = specs.some((spec) => groupOf(spec) !== null)
  const all: Record<string, Flag> = {}
  for (const { flags } of specs) {
    for (const [name, flag] of Object.entries(flags)) {
      if (!isGroup || !Object.hasOwn(COMMON, name)) all[name] ??= flag
    }
  }
  return flagTable(all, specs)
}

function specsOf(title: string): readonly Spec[] {
  return title.split(', ').flatMap((name) => {
    const spec = LISTED.find((one) => one.name === name)
    return spec === undefined ? membersOf(name) : [spec]
  })
}

/** Replaces the table that begins so; a page without it stays. */
function withTable(part: string, start: string, table: string): string {
  const at = part.indexOf(`\n${start}`)
  if (at === -1 || table === '') return part
  const end = part.indexOf('\n\n', at + 1)
  return `${part.slice(0, at + 1)}${table}${end === -1 ? '\n' : part.slice(end)}`
}

function commandTable(): string {
  const rows = ALONE.flatMap((spec) =>
    usageLines(spec).map((line, at) => [
      code(line.replace(/ ?\[.?flags\]$/, '').replace(/( \[--\S+ [A-Z]+\])+$/, '')),
      spec.forms?.[at] ?? spec.summary,
    ]),
  )
  const groups = GROUPS.map(({ name, summary }) => {
    const verbs = membersOf(name).map((spec) => spec.name.slice(name.length + 1))
    return [code(`sluice ${name} ${verbs.join('|')}`), summary]
  })
  return toTable([['Command', ''], ...rows, ...groups])
}

/** `specs`: the commands that have them. */
function flagTable(all: Flags, specs: readonly Spec[]): string {
  const flags = Object.entries(all)
  if (flags.length === 0) return ''
  const hasVariable = flags.some(([, { variable }]) => variable !== undefined)
  const hasDefault = flags.some(([, one]) => one.default !== undefined)
  const isShared = specs.length > 1
  const cells = (
    of: string,
    variable: string,
    normal: string,
    [first, last]: readonly [string, string],
  ): readonly string[] => [
    first,
    ...(isShared ? [of] : []),
    ...(hasVariable ? [variable] : []),
    ...(hasDefault ? [normal] : []),
    last,
  ]
  const rows = flags.map(([name, flag]) => {
    const users = specs.filter((spec) => name in spec.flags)
    const of = users.length === specs.length ? 'all' : users.map(lastWord).join(', ')
    const more = flag.isRepeated === true ? '; may be repeated' : ''
    const text = `${flag.doc ?? flag.text}${more}`
    const variable = flag.variable === undefined ? '' : code(flag.variable)
    return cells(of, variable, shownDefault(flag), [code(shownFlag(name, flag)), text])
  })
  return toTable([cells('Of', 'Variable', 'Default', ['Flag', '']), ...rows])
}

function lastWord({ name }: Spec): string {
  return name.split(' ').at(-1) ?? ''
}

/** A sentence stays text. */
function shownDefault({ default: normal = '' }: Flag): string {
  return normal === '' || normal.includes(' ') ? normal : code(normal)
}

function code(text: string): string {
  return `\`${text}\``
}

function toTable(rows: readonly (readonly string[])[]): string {
  const [head = [], ...body] = rows.map((row) => row.map((cell) => cell.replaceAll('|', '\\|')))
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell) => (cell === '' ? '' : `${cell} `)).join('| ')}|`
  return [line(head), `|${'---|'.repeat(head.length)}`, ...body.map(line)].join('\n')
}
