/**
 * The tables of options in docs/, made of the schemas that parse them. A page has a table between `<!-- options:NAME -->` and
 * `<!-- /options -->`, where NAME is a kind of middleware, a balancer, a kind of source,
 * `sources` for the options of every source, `settings`, `resolver`, `templates`, `scale` or `actuator`, or one of an agent.
 */
import * as z from 'zod'
import { AGENT_TABLES } from '../src/agent/config/own-file.ts'
import { DURATION_FORMS } from '../src/options/fields.ts'
import * as vocabulary from '../src/options/vocabulary.ts'
import { actuator } from '../src/schema/actuator.ts'
import { OPTIONS } from '../src/schema/middleware.ts'
import { SOURCE_KINDS } from '../src/providers/catalog/sources.ts'
import { COMMON_OPTIONS } from '../src/providers/source-kind.ts'
import { scale } from '../src/schema/scale.ts'
import { SETTINGS_SHAPE } from '../src/schema/settings.ts'
import { templateForm } from '../src/schema/templates.ts'
import { BALANCERS, type BalancerKind } from '../src/upstream/balancing/balancer.ts'

/** JSON Schema, as far as the options need it. */
interface Option {
  readonly type?: string | readonly string[]
  readonly description?: string
  readonly default?: unknown
  readonly enum?: readonly unknown[]
  readonly minimum?: number
  readonly maximum?: number
  readonly maxLength?: number
  readonly properties?: Readonly<Record<string, Option>>
  readonly required?: readonly string[]
}

const MARKED = /(<!-- options:([\w-]+) -->\n).*?(<!-- \/options -->)/gs
/** Options of options of options are described by their parent. */
const MAX_DEPTH = 2

/** Its options have a table of their own. */
const resolver = z
  .unknown()
  .optional()
  .meta({ description: toOption(SETTINGS_SHAPE.resolver).description })

const sourceKind = z
  .enum(SOURCE_KINDS.map(({ kind }) => kind))
  .optional()
  .meta({ description: 'A source whose name is a kind needs none.' })

/** By NAME. */
export function optionsTables(): ReadonlyMap<string, string> {
  return new Map([
    ...[...OPTIONS].map(([kind, schema]) => [kind, toTable(rowsOf('', toOption(schema)))] as const),
    ...BALANCERS.map((balancer) => [balancer.name, toTable(balancerRows(balancer))] as const),
    ...SOURCE_KINDS.map(({ kind, schema }) => [kind, toTable(ownRows(toOption(schema)))] as const),
    ['sources', toTable(rowsOf('', toOption(z.object({ kind: sourceKind, ...COMMON_OPTIONS }))))],
    ['settings', toTable(rowsOf('', toOption(z.object({ ...SETTINGS_SHAPE, resolver }))))],
    ['scale', toTable(rowsOf('scale.', withoutKinds(toOption(scale))))],
    ['actuator', toTable(rowsOf('actuator.', toOption(actuator)))],
    ['templates', toTable(rowsOf('', toOption(templateForm)))],
    ['resolver', toTable(rowsOf('resolver.', toOption(SETTINGS_SHAPE.resolver)))],
    ...AGENT_TABLES.map(([name, schema]) => [name, toTable(rowsOf('', toOption(schema)))] as const),
  ])
}

/** Names of the tables that a page has. */
export function tablesOn(page: string): readonly string[] {
  return [...page.matchAll(MARKED)].map(([, , name = '']) => name)
}

/** The page with its tables as they have to be. */
export function withTables(page: string, tables: ReadonlyMap<string, string>): string {
  return page.replace(MARKED, (_, begin: string, name: string, end: string) => {
    const table = tables.get(name)
    if (table === undefined) throw new Error(`there are no options of ${name}`)
    return `${begin}\n${table}\n${end}`
  })
}

function toTable(rows: readonly string[]): string {
  return `| Option | Default | |\n|---|---|---|\n${rows.join('')}`
}

function toRow(name: string, normal: string, text: string): string {
  return `| \`${name}\` | ${normal} | ${text.replace(/[|*]/g, '\\$&')} |\n`
}

function balancerRows({ name, description, weight, options }: BalancerKind<unknown>): string[] {
  const isDefault = name === BALANCERS[0]?.name
  return [
    toRow(`balance: ${name}`, isDefault ? 'this' : '', description),
    ...(options === undefined ? [] : rowsOf(`${name}.`, toOption(options.schema(vocabulary)))),
    toRow('servers.ID.weight', '1', weight),
  ]
}

/** Without the options of every source, which have a table of their own. */
function ownRows({ properties = {}, ...rest }: Option): string[] {
  const own = Object.entries(properties).filter(
    ([name]) => name !== 'kind' && !(name in COMMON_OPTIONS),
  )
  return rowsOf('', { ...rest, properties: Object.fromEntries(own) })
}

/** The kinds of actuators have a table of their own. */
function withoutKinds({ properties = {}, ...rest }: Option): Option {
  const { actuator: kinds = {}, ...others } = properties
  const { properties: _kinds, ...bare } = kinds
  return { ...rest, properties: { actuator: bare, ...others } }
}

function toOption(schema: z.ZodType): Option {
  return z.toJSONSchema(schema, { io: 'input' }) as Option
}

function rowsOf(prefix: string, { properties = {}, required = [] }: Option, depth = 1): string[] {
  return Object.entries(properties).flatMap(([name, option]) => [
    toRow(prefix + name, required.includes(name) ? 'required' : defaultOf(option), textOf(option)),
    ...(depth < MAX_DEPTH ? rowsOf(`${prefix}${name}.`, option, depth + 1) : []),
  ])
}

function defaultOf({ default: normal }: Option): string {
  if (normal === '') return 'empty'
  return ['string', 'number', 'boolean'].includes(typeof normal) ? `\`${String(normal)}\`` : ''
}

/** What an editor shows, and the bounds that an editor checks. */
function textOf(option: Option): string {
  const { description = '', enum: values, type } = option
  const text = description.replace(DURATION_FORMS, '.').replace(/\d{5,}/g, toGrouped)
  if (values !== undefined)
    return `${text} ${values.map((one) => `\`${String(one)}\``).join(', ')}.`
  if (type === 'integer' || type === 'number') return `${text} ${boundsOf(option)}`
  if (option.maxLength === undefined) return text
  return `${text} At most ${toGrouped(option.maxLength)} characters.`
}

function boundsOf({ minimum = 0, maximum = 0 }: Option): string {
  return `${toGrouped(minimum)} to ${toGrouped(maximum)}.`
}

function toGrouped(number: number | string): string {
  return Number(number).toLocaleString('en-US')
}
