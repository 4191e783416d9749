/** What `sluice check --from` works with: the sources of a configuration, kinds of sources, and files of other proxies. */
import { existsSync, readFileSync } from 'node:fs'
import { readForeignFile } from '../cli/from/foreign-file.ts'
import type { Declared, FromWorld } from '../cli/from/check-from.ts'
import { checkSource } from '../control/review/check-source.ts'
import { withFiles } from '../control/sources/read-files.ts'
import { parseDocument, type ReadableDocument } from '../document/document.ts'
import { fileErrorReason } from '../model/file-error.ts'
import type { ResolverSettings, SourceSpec } from '../model/settings.ts'
import { openSource, SOURCE_KINDS } from '../providers/catalog/sources.ts'
import type { DockerSource } from '../providers/docker/source.ts'
import { createReferenceReader } from '../providers/file/references.ts'
import type { LabelRules } from '../providers/labels/labelled.ts'
import type { SwarmSource } from '../providers/swarm/source.ts'
import { resolveSettings } from '../schema/resolve-settings.ts'

/** How long a source may take to list. */
const READ_WITHIN_MS = 15_000

/** `config`: null: there is none. */
export function openFrom(
  config: string | null,
  print: (line: string) => void,
  columns: number | null,
): FromWorld {
  const filename = config ?? 'sluice.yaml'
  let file: ReadableDocument | null | undefined

  function document(): ReadableDocument | null {
    file ??= config === null ? null : readConfig(config)
    return file
  }

  async function read(from: string): Promise<Declared> {
    const sources = sourcesOf(filename, document())
    const spec = sourceOf(from, filename, sources)
    if (spec !== null) return list(withFiles(spec, filename))
    const rules = { docker: labelRules(sources, 'docker'), swarm: labelRules(sources, 'swarm') }
    return readForeignFile(from, process.env, rules)
  }

  return {
    read,
    check: (objects) => checkSource('checked', objects, filename, document()),
    hasConfig: config !== null,
    print,
    columns,
  }
}

function readConfig(path: string): ReadableDocument {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new Error(`${path}: ${fileErrorReason(error)}`, { cause: error })
  }
  const references = { env: process.env, readFile: createReferenceReader(path).readFile }
  const document = parseDocument(text, path, references)
  if (document.readable) return document
  throw new Error(document.problems.map(({ message }) => `${path}: ${message}`).join('; '))
}

interface ConfiguredSources {
  /** Empty without a configuration. */
  readonly written: readonly SourceSpec[]
  /** What is wrong with those that it gets wrong, which are left out. */
  readonly wrong: readonly string[]
  readonly resolver: ResolverSettings
}

function sourcesOf(filename: string, document: ReadableDocument | null): ConfiguredSources {
  const references = { env: process.env, readFile: createReferenceReader(filename).readFile }
  const world = { filename, env: process.env, flags: {}, cores: 1, references }
  const { settings, problems } = resolveSettings({ document, ...world })
  const { sources, resolver } = settings
  if (document === null) return { written: [], wrong: [], resolver }
  const wrong = problems.flatMap(({ level, key, message }) =>
    level === undefined && key.startsWith(`${filename}#/sources`) ? message : [],
  )
  return { written: sources, wrong, resolver }
}

/** How the first source of this kind reads labels; null: there is none. */
function labelRules({ written }: ConfiguredSources, kind: 'docker' | 'swarm'): LabelRules | null {
  const spec = written.find((one) => one.kind === kind) as DockerSource | SwarmSource | undefined
  return spec?.labels ?? null
}

/** The source of the configuration with this name or kind, else one of this kind with its defaults; null: it is a file. */
function sourceOf(
  from: string,
  filename: string,
  { written, wrong, resolver }: ConfiguredSources,
): SourceSpec | null {
  const named =
    written.find(({ name }) => name === from) ?? written.find(({ kind }) => kind === from)
  if (named !== undefined) return named
  // It may be one of these, and is not to be read with the defaults of its kind.
  if (wrong.length > 0) throw new Error(`${filename}: ${wrong.join('; ')}`)
  const kind = SOURCE_KINDS.find((one) => one.kind === from)
  if (kind === undefined || existsSync(from)) {
    if (existsSync(from)) return null
    const kinds = SOURCE_KINDS.map((one) => one.kind).join(', ')
    throw new Error(`there is no such file, and it is no kind of source: ${kinds}`)
  }
  // Who comes from nginx-proxy has no configuration of Sluice yet.
  const options = from === 'docker' ? { virtualHost: true } : {}
  const parsed = kind.parse(from, options, { filename, data: '', resolver })
  if (parsed.ok) return parsed.value
  const why = parsed.problems.map(({ message }) => message).join('; ')
  throw new Error(`${why}; name a file with the source: sluice check --from ${from} FILE`)
}

/** The first list of a source. */
export async function list(spec: SourceSpec): Promise<Declared> {
  const provider = await openSource(spec)
  const end = new AbortController()
  const timer = setTimeout(() => end.abort(), READ_WITHIN_MS)
  const declarations = provider.watch(end.signal)[Symbol.asyncIterator]()
  try {
    const first = await declarations.next()
    if (first.done === true)
      throw new Error(`it has not responded within ${READ_WITHIN_MS / 1000} s`)
    const declaration = first.value
    const { problems } = declaration
    if (declaration.readable) return { objects: [...declaration.objects], problems }
    throw new Error(problems.map(({ message }) => message).join('; '))
  } finally {
    clearTimeout(timer)
    end.abort()
    await declarations.return?.()
  }
}
