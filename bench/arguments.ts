/**
 * The words of a bench's command line: scenarios by name, how thorough, and what is printed. One frame for all of them;
 * an unknown one is an error that lists the known ones.
 */
import { parseArgs } from 'node:util'
import { didYouMean } from '../src/model/suggest.ts'

export interface BenchUsage {
  /** `npm run bench`: arguments for the bench come after `--`. */
  readonly command: string
  /** What it measures, in a sentence. */
  readonly about: string
  /** Scenarios by name, with a title each, in the order in which they run. */
  readonly scenarios: Readonly<Record<string, string>>
  /** Those who take part, by name; without it all that there is takes part. */
  readonly contenders?: Readonly<Record<string, string>>
}

export interface BenchChoice {
  readonly quick: boolean
  /** Sluice, compared with the bars of the project. */
  readonly bars: boolean
  /** In the order in which they run. */
  readonly scenarios: readonly string[]
  readonly contenders: readonly string[]
  /** Scenarios were requested by name. */
  readonly isNamed: boolean
  /** Nothing was left out or cut short: the results may be kept. */
  readonly isWhole: boolean
}

export type BenchWords =
  | { readonly kind: 'run'; readonly choice: BenchChoice }
  | { readonly kind: 'help'; readonly text: string }
  | { readonly kind: 'mistake'; readonly message: string }

/** `argv` without Node and the file. Never throws. */
export function parseBenchWords(usage: BenchUsage, argv: readonly string[]): BenchWords {
  const { command, contenders = {} } = usage
  const lists = usage.contenders === undefined ? ['only'] : ['only', 'contenders']
  const flags = ['quick', 'bars', 'help']
  const options: Record<string, { type: 'boolean' | 'string' }> = {}
  for (const name of flags) options[name] = { type: 'boolean' }
  for (const name of lists) options[name] = { type: 'string' }
  const { tokens } = parseArgs({
    args: [...argv],
    options,
    allowPositionals: true,
    strict: false,
    tokens: true,
  })
  const given = new Set<string>()
  const named: Record<string, string[]> = {}
  const mistake = (what: string): BenchWords => ({
    kind: 'mistake',
    message: `${what} (see ${command} -- --help)`,
  })

  for (const token of tokens) {
    if (token.kind === 'positional') (named['only'] ??= []).push(...token.value.split(','))
    if (token.kind !== 'option') continue
    const { name, rawName, value } = token
    if (name === 'help' || rawName === '-h') return { kind: 'help', text: helpOf(usage) }
    if (lists.includes(name)) {
      if (value === undefined || value === '' || (!token.inlineValue && value.startsWith('-')))
        return mistake(`${rawName} needs names: a,b`)
      ;(named[name] ??= []).push(...value.split(','))
    } else if (flags.includes(name)) {
      if (value !== undefined) return mistake(`${rawName} takes no value`)
      given.add(name)
    } else {
      const known = [...flags, ...lists].map((one) => `--${one}`)
      return mistake(`unknown option "${rawName}"${didYouMean(rawName, known)}`)
    }
  }
  for (const [list, all, what] of [
    ['only', Object.keys(usage.scenarios), 'scenario'],
    ['contenders', Object.keys(contenders), 'contender'],
  ] as const) {
    const strange = named[list]?.find((name) => !all.includes(name))
    if (strange !== undefined) {
      const known = all.join(', ')
      return mistake(
        `there is no ${what} "${strange}"${didYouMean(strange, all)}; there are ${known}`,
      )
    }
  }
  const pick = (all: readonly string[], wanted: readonly string[] | undefined): string[] =>
    all.filter((name) => wanted === undefined || wanted.includes(name))
  const scenarios = pick(Object.keys(usage.scenarios), named['only'])
  const taking = pick(Object.keys(contenders), named['contenders'])
  const isAll =
    scenarios.length === Object.keys(usage.scenarios).length &&
    taking.length === Object.keys(contenders).length
  const quick = given.has('quick')
  return {
    kind: 'run',
    choice: {
      ...{ quick, bars: given.has('bars'), scenarios, contenders: taking },
      isNamed: named['only'] !== undefined,
      isWhole: isAll && !quick,
    },
  }
}

function helpOf({ command, about, scenarios, contenders }: BenchUsage): string {
  const options: readonly (readonly [string, string])[] = [
    ['--quick', 'a look, with rough figures'],
    ['--only a,b', 'the same as naming scenarios'],
    ...(contenders === undefined ? [] : [['--contenders a,b', 'only these take part'] as const]),
    ['--bars', 'compare Sluice with the bars of the project; exit 1 where a bar is missed'],
    ['--help', 'this'],
  ]
  return [
    `${about}\n\nusage: ${command} -- [SCENARIO ...] [options]\n`,
    lines(options),
    `\nscenarios (all, where none is named):\n${lines(Object.entries(scenarios))}`,
    ...(contenders === undefined ? [] : [`\ncontenders:\n${lines(Object.entries(contenders))}`]),
    '\nA whole run replaces the results in bench/results; any other one writes to bench/results/tmp.',
  ].join('\n')
}

function lines(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([name]) => name.length)) + 2
  return rows.map(([name, text]) => `  ${name.padEnd(width)}${text}`).join('\n')
}
