/** Reads the configuration of an agent, its own or nerve's: whole and valid, or not at all. */
import { readFileSync, statSync } from 'node:fs'
import { createFileReader } from '../../control/sources/read-files.ts'
import { readForeign } from '../../document/document.ts'
import { parseReferred, hideReferred } from '../../document/referred.ts'
import { resolveReferences } from '../../document/references.ts'
import { Unreadable, type Tree } from '../../document/tree.ts'
import { messageOf } from '../../model/error-message.ts'
import { fileErrorReason } from '../../model/file-error.ts'
import { escapeControls, type Path } from '../../model/parsed.ts'
import { createReferenceReader } from '../../providers/file/references.ts'
import { readSynapseConfig } from '../../providers/synapse/read-config.ts'
import type { AgentConfig } from '../spec/agent-spec.ts'
import { readNerve } from './nerve-file.ts'
import { parseAgentFile, type AgentPlace } from './own-file.ts'

/** One line, with its place: `agent.yaml:3:5: services.web.port: is missing`. */
export type Line = string

export type ReadConfig =
  | { readonly ok: true; readonly config: AgentConfig; readonly warnings: readonly Line[] }
  | { readonly ok: false; readonly problems: readonly Line[]; readonly warnings: readonly Line[] }

export interface ConfigWorld extends Omit<AgentPlace, 'readFile'> {
  readonly env: Readonly<Record<string, string | undefined>>
}

const MAX_BYTES = 16 << 20

/** Does not throw. */
export function readAgentConfig(file: string, world: ConfigWorld): ReadConfig {
  try {
    const tree = readTree(file)
    return 'instance_id' in tree.root ? readAsNerve(file, world) : readOwn(file, tree, world)
  } catch (error) {
    return {
      ok: false,
      problems: [messageOf(error)],
      warnings: [],
    }
  }
}

function readTree(file: string): Tree {
  let text: string
  try {
    if (statSync(file).size > MAX_BYTES) throw new Error(`has more than ${MAX_BYTES} bytes`)
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw new Error(`${file}: ${fileErrorReason(error)}`, { cause: error })
  }
  try {
    return readForeign(text, file.endsWith('.json') ? 'json' : 'yaml')
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error
    throw new Error(`${placeOf(file, error.position)}: ${error.message}`, { cause: error })
  }
}

function readOwn(file: string, { root, locate }: Tree, world: ConfigWorld): ReadConfig {
  const { readFile } = createReferenceReader(file)
  const { value, references, secrets, faults } = resolveReferences(root, {
    env: world.env,
    readFile,
  })
  const toLine = ({ path, message }: { readonly path: Path; readonly message: string }): Line =>
    lineOf(file, locate(path), hideReferred({ path, message }, { references, secrets }))
  if (faults.length > 0) return { ok: false, problems: faults.map(toLine), warnings: [] }
  const place = { ...world, readFile: createFileReader(file) }
  const { parsed } = parseReferred(value, references, (one) =>
    parseAgentFile(one as Readonly<Record<string, unknown>>, place),
  )
  return parsed.ok
    ? { ok: true, config: parsed.value, warnings: [] }
    : { ok: false, problems: parsed.problems.map(toLine), warnings: [] }
}

function readAsNerve(file: string, { env, withContainers }: ConfigWorld): ReadConfig {
  if (withContainers) {
    const what =
      'is a configuration of nerve, which has no containers: give --docker a file of the agent'
    return { ok: false, problems: [`${file}: ${what}`], warnings: [] }
  }
  const { root, locate } = readSynapseConfig(file, env)
  const { config, notes } = readNerve(root)
  const lines = (isError: boolean): readonly Line[] =>
    notes
      .filter(({ level }) => (level === 'error') === isError)
      .map(({ path, message }) => {
        const { file: where, ...position } = locate(path)
        return lineOf(where, position, message)
      })
  const [problems, warnings] = [lines(true), lines(false)]
  return problems.length > 0 ? { ok: false, problems, warnings } : { ok: true, config, warnings }
}

function lineOf(file: string, position: Partial<Position> | null, message: string): Line {
  return `${placeOf(file, position)}: ${escapeControls(message)}`
}

interface Position {
  readonly line: number
  readonly column: number
}

function placeOf(file: string, position: Partial<Position> | null): string {
  const { line, column } = position ?? {}
  return line === undefined ? file : `${file}:${line}:${column ?? 1}`
}
