/** A file of another proxy, by its content: a compose file with labels, a document of Traefik, or routes of fabio. */
import { basename, dirname, join, resolve } from 'node:path'
import { readForeign } from '../../document/document.ts'
import { Unreadable } from '../../document/tree.ts'
import { isMap, type JsonMap } from '../../model/parsed.ts'
import type { Problem } from '../../model/problem.ts'
import { readBoundedText } from '../../model/read-bounded.ts'
import { createFabioLayout } from '../../providers/layouts/fabio/layout.ts'
import { createTraefikLayout } from '../../providers/layouts/traefik/layout.ts'
import { readTraefikDocument } from '../../providers/layouts/traefik/document.ts'
import type { LabelledObjects } from '../../providers/labels/labelled.ts'
import { createMirror } from '../../providers/registry/mirror.ts'
import type { KeyEntry, Layout } from '../../providers/layout.ts'
import { readFileText } from '../read-file.ts'
import {
  describeRoot,
  isComposeFile,
  readComposeFile,
  readDotEnv,
  type ComposeRules,
} from './compose-file.ts'

const MAX_BYTES = 16 << 20

/** Throws with the reason if the file cannot be read, or is none of these. */
export function readForeignFile(
  path: string,
  env: Readonly<Record<string, string | undefined>>,
  rules: ComposeRules,
): LabelledObjects {
  const text = readFileText(path, MAX_BYTES)
  if (/^\s*route\s+(?:add|del|weight)\s/m.test(text)) {
    return readLayout(createFabioLayout(), [{ path: 'config', key: basename(path), text }], [])
  }
  if (path.endsWith('.toml')) throw new Error('TOML is not read; write it as YAML')
  const root = readRoot(text)
  if (isComposeFile(root)) {
    const folder = dirname(resolve(path))
    const project =
      basename(folder)
        .toLowerCase()
        .replace(/[^a-z0-9_-]/g, '') || 'project'
    return readComposeFile(root, { env: { ...dotEnvOf(folder), ...env }, project, rules })
  }
  if (['http', 'tcp', 'udp', 'tls'].some((section) => isMap(root[section]))) {
    return readTraefik(root)
  }
  throw new Error(
    `is neither a compose file, nor a dynamic configuration of Traefik, nor routes of fabio; it has ${describeRoot(root)}`,
  )
}

function readRoot(text: string): JsonMap {
  try {
    return readForeign(text).root
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error
    const { line, column } = error.position ?? {}
    const at = line === undefined ? '' : ` (line ${line}, column ${column})`
    throw new Error(`${error.message}${at}`, { cause: error })
  }
}

function dotEnvOf(folder: string): Readonly<Record<string, string>> {
  try {
    return readDotEnv(readBoundedText(join(folder, '.env'), { maxBytes: MAX_BYTES }))
  } catch {
    return {}
  }
}

function readTraefik(root: JsonMap): LabelledObjects {
  const layout = createTraefikLayout('file')
  const document = readTraefikDocument(root, layout, (path) => path)
  if (!document.readable) throw new Error(document.reason)
  return readLayout(layout, document.entries, document.problems)
}

function readLayout(
  layout: Layout,
  entries: readonly KeyEntry[],
  problems: readonly Problem[],
): LabelledObjects {
  const mirror = createMirror(layout)
  mirror.replace(entries)
  const declared = mirror.declare({ revision: '', listed: 'first', changedAt: 0, problems })
  return { objects: [...declared.objects], problems: declared.problems }
}
