/**
 * From a text to the file in its place: compared, staged, checked, renamed, and the program that reads it reloaded. A check that fails
 * leaves the file as it was.
 */
import { basename } from 'node:path'
import { messageOf } from '../model/error-message.ts'
import { BUILTINS } from '../template/builtins.ts'
import { evaluate } from '../template/evaluate.ts'
import { parseTemplate } from '../template/parse.ts'
import { Dict } from '../template/value.ts'
import type { TemplateSettings } from '../model/template-settings.ts'
import { runCommand } from './run-command.ts'
import { compare, discard, replace, stage, type FileForm } from './target-file.ts'

/** The program that reads the file would not be told of it later, so a reload may end although this program does. */
const GRACE_MS = 5_000

export type ApplySettings = Pick<
  TemplateSettings,
  | 'dest'
  | 'mode'
  | 'uid'
  | 'gid'
  | 'check'
  | 'reload'
  | 'timeoutMs'
  | 'keepStage'
  | 'noop'
  | 'syncOnly'
>

export interface ApplyOptions {
  readonly signal: AbortSignal
  /** The file is the wanted one, but its reload has failed the last time. */
  readonly isReloadOwed: boolean
}

export type Applied =
  | { readonly kind: 'same' }
  /** `what`: as of Difference. `staged`: a file that is kept. */
  | { readonly kind: 'changed'; readonly what: readonly string[]; readonly staged: string | null }
  /** It would change, but is to be left as it is. */
  | { readonly kind: 'differs'; readonly what: readonly string[]; readonly staged: string | null }
  /** The file is in its place, but its reload failed. */
  | { readonly kind: 'not-reloaded'; readonly reason: string; readonly isChanged: boolean }

/** @throws {Error} why the file is as it was before */
export async function applyText(
  settings: ApplySettings,
  text: string,
  options: ApplyOptions,
): Promise<Applied> {
  const { dest: path, mode, keepStage, noop } = settings
  const form: FileForm = {
    path,
    mode,
    uid: settings.uid ?? process.geteuid?.() ?? 0,
    gid: settings.gid ?? process.getegid?.() ?? 0,
  }
  const content = Buffer.from(text)
  const { what, mode: wanted } = await compare(form, content)
  if (what.length === 0) {
    if (!options.isReloadOwed || noop) return { kind: 'same' }
    const reason = await reload(settings, options.signal)
    return reason === null ? { kind: 'same' } : { kind: 'not-reloaded', reason, isChanged: false }
  }
  if (noop && !keepStage) return { kind: 'differs', what, staged: null }
  const staged = await stage(form, wanted, content)
  let isKept = keepStage
  try {
    if (noop) return { kind: 'differs', what, staged }
    await check(settings, staged, options.signal)
    if (keepStage) await replaceByCopy(form, wanted, content)
    else isKept = (await replace(form, wanted, staged, content)) === 'renamed'
  } finally {
    if (!isKept) await discard(staged)
  }
  const reason = await reload(settings, options.signal)
  if (reason !== null) return { kind: 'not-reloaded', reason, isChanged: true }
  return { kind: 'changed', what, staged: keepStage ? staged : null }
}

async function replaceByCopy(form: FileForm, mode: number, content: Buffer): Promise<void> {
  const copy = await stage(form, mode, content, '.new')
  let isRenamed = false
  try {
    isRenamed = (await replace(form, mode, copy, content)) === 'renamed'
  } finally {
    if (!isRenamed) await discard(copy)
  }
}

async function check(
  { check: command, syncOnly, timeoutMs, dest }: ApplySettings,
  staged: string,
  signal: AbortSignal,
): Promise<void> {
  if (command === null || syncOnly) return
  const line = checkCommand(command, staged)
  await runCommand(line, { timeoutMs, signal }).catch((cause: unknown) => {
    const reason = messageOf(cause)
    throw new Error(`check ${reason}; ${basename(dest)} stays as it was`, { cause })
  })
}

/**
 * `{{.src}}` becomes the path of the staged file.
 * @throws {TemplateError} the command is no template
 */
export function checkCommand(command: string, staged: string): string {
  const templates = parseTemplate(command, 'check', new Set(BUILTINS.keys()))
  const data = new Dict('string', new Map([['src', staged]]))
  return evaluate(templates, 'check', data, BUILTINS)
}

/** Why it failed; null: it did not. */
async function reload(
  { reload: command, syncOnly, timeoutMs }: ApplySettings,
  signal: AbortSignal,
): Promise<string | null> {
  if (command === null || syncOnly) return null
  try {
    await runCommand(command, { timeoutMs, signal, graceMs: GRACE_MS })
    return null
  } catch (error) {
    return `reload ${messageOf(error)}`
  }
}
