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
import { clearReload, noteReload } from './due-reload.ts'
import { runCommand } from './run-command.ts'
import { keptPath, stagedPath } from './staged-name.ts'
import { compare, discard, replace, stage, type FileForm } from './target-file.ts'

/** A reload that runs when this program is to end goes on for so long. */
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
  /** The last reload failed, or is not known to have succeeded: it is run also if the file is the wanted one. */
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
    const reason = await reload(settings, options)
    return reason === null ? { kind: 'same' } : { kind: 'not-reloaded', reason, isChanged: false }
  }
  if (noop && !keepStage) return { kind: 'differs', what, staged: null }
  const staged = keepStage ? keptPath(path) : stagedPath(path)
  await stage(form, wanted, content, staged)
  let isKept = keepStage
  try {
    if (noop) return { kind: 'differs', what, staged }
    await check(settings, staged, options.signal)
    await noting(settings, options, async () => {
      if (keepStage) await replaceByCopy(form, wanted, content)
      else isKept = (await replace(form, wanted, staged, content)) === 'renamed'
    })
  } finally {
    if (!isKept) await discard(staged)
  }
  const reason = await reload(settings, options)
  if (reason !== null) return { kind: 'not-reloaded', reason, isChanged: true }
  return { kind: 'changed', what, staged: keepStage ? staged : null }
}

/** Notes that the reload is due, which a file that is not replaced makes undone. */
async function noting(
  { dest, reload: command, syncOnly }: ApplySettings,
  { isReloadOwed }: ApplyOptions,
  replaceFile: () => Promise<void>,
): Promise<void> {
  if (command === null || syncOnly) return replaceFile()
  await noteReload(dest)
  try {
    await replaceFile()
  } catch (error) {
    if (!isReloadOwed) await clearReload(dest)
    throw error
  }
}

async function replaceByCopy(form: FileForm, mode: number, content: Buffer): Promise<void> {
  const copy = stagedPath(form.path)
  await stage(form, mode, content, copy)
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
  { dest, reload: command, syncOnly, timeoutMs }: ApplySettings,
  { signal, isReloadOwed }: ApplyOptions,
): Promise<string | null> {
  if (syncOnly || (command === null && !isReloadOwed)) return null
  try {
    if (command !== null) await runCommand(command, { timeoutMs, signal, graceMs: GRACE_MS })
  } catch (error) {
    const again = signal.aborted ? '; it runs again with the next start' : ''
    return `reload ${messageOf(error)}${again}`
  }
  await clearReload(dest)
  return null
}
