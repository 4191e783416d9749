/** Reads a configuration of synapse, with the files of its `service_conf_dir`, each of which is one service. */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { readForeign } from '../../document/document.ts'
import { Unreadable, type Tree } from '../../document/tree.ts'
import { fileErrorReason } from '../../model/file-error.ts'
import { isForbiddenKey } from '../../model/names.ts'
import { isMap, quote, type JsonMap, type Path } from '../../model/parsed.ts'
import { beside } from '../source-kind.ts'

export interface SynapseConfig {
  /** With the services of the folder among its `services`. */
  readonly root: JsonMap
  readonly locate: (path: Path) => Place
  /** What was read: the file, the folder, and the files in it. */
  readonly paths: readonly string[]
}

export interface Place {
  readonly file: string
  readonly line?: number
  readonly column?: number
}

const MAX_BYTES = 16 << 20
const MAX_FILES = 10_000

/** Throws with the path and the reason. */
export function readSynapseConfig(
  path: string,
  env: Readonly<Record<string, string | undefined>> = process.env,
): SynapseConfig {
  const main = readTree(path, env)
  const folder = main.root['service_conf_dir']
  if (folder === undefined || folder === null) {
    return { root: main.root, locate: (at) => placeIn(path, main, at), paths: [path] }
  }
  if (typeof folder !== 'string')
    throw new Error(`${path}: service_conf_dir must be a path, not ${quote(folder)}`)
  const directory = beside(path, folder)
  const trees = new Map(
    filesIn(directory).map((name) => {
      const file = join(directory, name)
      return [name.replace(/\.(?:json|yaml)$/, ''), { file, tree: readTree(file, env) }] as const
    }),
  )
  const { services } = main.root
  const added = [...trees].map(([name, { tree }]) => [name, tree.root] as const)
  return {
    root: {
      ...main.root,
      services: { ...(isMap(services) ? services : {}), ...Object.fromEntries(added) },
    },
    locate([section, service, ...rest]) {
      const own = section === 'services' ? trees.get(String(service)) : undefined
      if (own !== undefined) return placeIn(own.file, own.tree, rest)
      return placeIn(
        path,
        main,
        [section, service, ...rest].filter((step) => step !== undefined),
      )
    },
    paths: [path, directory, ...Array.from(trees.values(), ({ file }) => file)],
  }
}

function placeIn(file: string, { locate }: Tree, path: Path): Place {
  return { file, ...(locate(path) ?? {}) }
}

function filesIn(directory: string): readonly string[] {
  let names: readonly string[]
  try {
    names = readdirSync(directory)
  } catch (error) {
    throw new Error(`service_conf_dir ${directory}: ${fileErrorReason(error)}`, { cause: error })
  }
  // A name that begins with a dot is that of a file which is being written.
  const files = names.filter(
    (name) => /^[^.].*\.(?:json|yaml)$/.test(name) && !isForbiddenKey(name),
  )
  if (files.length > MAX_FILES) {
    throw new Error(
      `service_conf_dir ${directory} holds ${files.length} files, at most ${MAX_FILES} are read`,
    )
  }
  return files.sort()
}

/** JSON or YAML, by what the text begins with: synapse reads both in a file of any name. */
function readTree(path: string, env: Readonly<Record<string, string | undefined>>): Tree {
  let text: string
  try {
    if (statSync(path).size > MAX_BYTES) throw new Error(`has more than ${MAX_BYTES} bytes`)
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new Error(`${path}: ${fileErrorReason(error)}`, { cause: error })
  }
  try {
    const filled = fillIn(text, env)
    if (!filled.trimStart().startsWith('{')) return readForeign(filled)
    try {
      return readForeign(filled, 'json')
    } catch (error) {
      // A map of YAML in braces.
      if (/"/.test(filled.slice(0, 200))) throw error
      return readForeign(filled)
    }
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error
    const { line, column } = error.position ?? {}
    const at = line === undefined ? '' : `:${line}:${column ?? 1}`
    throw new Error(`${path}${at}: ${error.message}`, { cause: error })
  }
}

/** ERB, of which `<%= ENV['NAME'] %>` is read. */
function fillIn(text: string, env: Readonly<Record<string, string | undefined>>): string {
  return text.replace(/<%(.*?)%>/gs, (whole, code: string) => {
    const name = /^=\s*ENV(?:\.fetch\(|\[)\s*(['"])(\w+)\1\s*[)\]]\s*-?$/.exec(code)?.[2]
    if (name === undefined) {
      throw new Unreadable(`holds Ruby, ${quote(whole)}: of ERB, <%= ENV['NAME'] %> is read`, null)
    }
    return env[name] ?? ''
  })
}
