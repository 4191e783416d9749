/**
 * `sluice check FILE`: reports all problems of a file, a line each, in the form that editors and CI understand. Errors and
 * warnings (an object does not do what it says) fail the check; hints (an object is not used) do not.
 */
import { readFileSync } from 'node:fs'
import { parseDocument, type ReadableDocument } from '../document/document.ts'
import { messageOf } from '../model/error-message.ts'
import { escapeControls } from '../model/parsed.ts'
import type { Problem } from '../model/problem.ts'
import type { ReferenceWorld } from '../document/references.ts'
import type { DeclaredObject } from '../providers/provider.ts'
import { resolveSettings } from '../schema/resolve-settings.ts'
import type { Settings } from '../model/settings.ts'

/** Reviews the objects of a file, by control, and what its settings name. */
export type CheckDocument = (document: ReadableDocument, settings: Settings) => readonly Problem[]

/** Returns the exit code. */
export function checkFile(
  path: string,
  admit: CheckDocument,
  references: ReferenceWorld,
  print: (line: string) => void,
): 0 | 1 {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(readFileSync(path))
  } catch (error) {
    print(`${path}: ${reasonOf(error)}`)
    return 1
  }
  const document = parseDocument(text, path, references)
  const problems = document.readable
    ? problemsOf(document, path, admit, references)
    : document.problems
  return printReport(path, problems, document.readable ? inventory(document.objects) : '', print)
}

/**
 * A line for each problem and one for all of them. `what`: the objects, if there are no problems. `fileOf`: of several files,
 * that of a problem. Returns the exit code.
 */
export function printReport(
  path: string,
  problems: readonly Problem[],
  what: string,
  print: (line: string) => void,
  fileOf: (problem: Problem) => string = () => path,
): 0 | 1 {
  for (const problem of problems) print(toLine(fileOf(problem), problem))
  const hints = problems.filter(({ level }) => level === 'hint').length
  const counted = [
    [problems.filter(({ level }) => level === undefined).length, 'problem'],
    [problems.filter(({ level }) => level === 'warning').length, 'warning'],
    [hints, 'hint'],
  ] as const
  const counts = counted.flatMap(([number, noun]) => (number === 0 ? [] : count(number, noun)))
  if (problems.length > hints) {
    print(`${path}: ${counts.join(', ')}`)
    return 1
  }
  print(`${path}: good, ${[what, ...counts].join(', ')}`)
  return 0
}

function problemsOf(
  document: ReadableDocument,
  path: string,
  admit: CheckDocument,
  references: ReferenceWorld,
): Problem[] {
  // Settings in the environment are not checked, but references of the file to the environment are.
  const world = { filename: path, env: {}, flags: {}, cores: 1, references }
  const settings = resolveSettings({ document, ...world })
  const all = [...document.problems, ...settings.problems, ...admit(document, settings.settings)]
  return all.sort(
    (left, right) =>
      (left.line ?? 0) - (right.line ?? 0) || (left.column ?? 0) - (right.column ?? 0),
  )
}

/** `sluice.yaml:3:5: settings: ...`, a form that editors understand. */
export function toLine(path: string, { kind, id, level, message, line, column }: Problem): string {
  const position = line === undefined ? '' : `:${line}${column === undefined ? '' : `:${column}`}`
  const what = id === '' ? kind : `${kind} ${id}`
  const grave = level === undefined ? '' : `${level}: `
  return escapeControls(`${path}${position}: ${grave}${what}: ${message}`)
}

/** How many there are of each kind. */
export function inventory(objects: readonly Pick<DeclaredObject, 'kind'>[]): string {
  return (['listener', 'host', 'backend', 'frontend'] as const)
    .map((kind) => [objects.filter((object) => object.kind === kind).length, kind] as const)
    .filter(([number, kind]) => kind !== 'host' || number > 0)
    .map(([number, kind]) => count(number, kind))
    .join(', ')
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : null
  if (code === 'ENOENT') return 'there is no such file'
  if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') return 'is not UTF-8 text'
  return `cannot be read: ${messageOf(error)}`
}
