/** One evaluation of a template, as the rendering thread does it. Pure, but for the environment, the clock and whether files exist. */
import { escapeControls } from '../model/parsed.ts'
import { BUILTINS } from '../template/builtins.ts'
import { confdFunctions, type World } from '../template/confd-functions.ts'
import { evaluate } from '../template/evaluate.ts'
import type { Functions } from '../template/function.ts'
import { keyFunctions } from '../template/key-functions.ts'
import { lookupFunctions } from '../template/lookup-functions.ts'
import { parseTemplate } from '../template/parse.ts'
import { createAsking, type Answers, type Question } from '../template/questions.ts'
import { EMPTY_TABLE, tableFunctions, type TableView } from '../template/table-functions.ts'
import { TemplateError } from '../template/value.ts'

/** What a template may read. */
export interface TemplateData {
  /** Null: it has no keys. */
  readonly keys: TemplateKeyTexts | null
  /** Null: it has no routing table. */
  readonly table: TableView | null
}

export interface TemplateKeyTexts {
  readonly texts: ReadonlyMap<string, string>
  /** By key, why it has no text; each is among `texts`, too. */
  readonly faults: ReadonlyMap<string, string>
}

export interface TextRequest extends TemplateData {
  readonly template: string
  readonly answers: Answers
}

export type MadeText =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'asks'; readonly questions: readonly Question[] }
  /** With the line. */
  | { readonly kind: 'failed'; readonly reason: string }

const NO_KEYS: TemplateKeyTexts = { texts: new Map(), faults: new Map() }

export function makeText({ template, keys, table, answers }: TextRequest, world: World): MadeText {
  const asking = createAsking(answers)
  const functions: Functions = new Map([
    ...BUILTINS,
    ...confdFunctions(world),
    ...lookupFunctions(asking),
    ...(keys === null ? [] : keyFunctions(keys.texts, keys.faults, asking)),
    ...(table === null ? [] : tableFunctions(table)),
  ])
  try {
    const templates = parseTemplate(template, MAIN, new Set(functions.keys()))
    const text = evaluate(templates, MAIN, undefined, functions)
    const { open } = asking
    return open.length === 0 ? { kind: 'text', text } : { kind: 'asks', questions: open }
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error
    const { open } = asking
    // What is not answered yet was taken for empty.
    if (open.length > 0) return { kind: 'asks', questions: open }
    return { kind: 'failed', reason: withHelp(error.message, { keys, table }) }
  }
}

const MAIN = 'main'
const MAX_REASON = 300

/** Why the text is no template for such data, with the line; null: it is one. */
export function refuseTemplate(
  template: string,
  has: { readonly keys: boolean; readonly table: boolean },
): string | null {
  const asking = createAsking(new Map())
  const functions = [
    ...BUILTINS.keys(),
    ...confdFunctions({ environment: {}, now: () => 0 }).keys(),
    ...lookupFunctions(asking).keys(),
    ...(has.keys ? KEY_NAMES : []),
    ...(has.table ? TABLE_NAMES : []),
  ]
  try {
    parseTemplate(template, MAIN, new Set(functions))
    return null
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error
    return withHelp(error.message, { keys: has.keys || null, table: has.table || null })
  }
}

/** Whether the text may call a function of the table. A comment or a word that looks so does no harm. */
export function mayReadTable(template: string): boolean {
  return CALLS_TABLE.test(template)
}

const KEY_NAMES = [...keyFunctions(NO_KEYS.texts, NO_KEYS.faults, createAsking(new Map())).keys()]
const TABLE_NAMES = [...tableFunctions(EMPTY_TABLE).keys()]
const CALLS_TABLE = new RegExp(`\\b(?:${TABLE_NAMES.join('|')})\\b`)

/** In one line, and no longer than a value that is in it may be. */
function withHelp(
  whole: string,
  { keys, table }: { readonly keys: unknown; readonly table: unknown },
): string {
  const isLong = whole.length > MAX_REASON
  const message = escapeControls(isLong ? `${whole.slice(0, MAX_REASON)}...` : whole)
  const [, name = ''] = /function "(\w+)" not defined$/.exec(message) ?? []
  if (keys === null && KEY_NAMES.includes(name))
    return `${message}: it needs keys and a source of them`
  if (table === null && TABLE_NAMES.includes(name))
    return `${message}: there is no routing table here`
  return message
}
