/**
 * `sources:`, a map of names to the registries and directories that declare objects besides the file. A source that cannot
 * be understood stops a start, because the program would serve without it.
 */
import { flaw, quote, refuse, type Flaw, type Parsed } from '../model/parsed.ts'
import { refuseId } from '../model/names.ts'
import type { SourceSpec } from '../model/settings.ts'
import { didYouMean } from '../model/suggest.ts'
import { SOURCE_KINDS } from '../providers/catalog/sources.ts'
import type { SourceKind, SourcePlace } from '../providers/source-kind.ts'

const MAX_SOURCES = 50

/** Without any source, the embedded store is the registry. */
const DEFAULT = { store: { required: false } }

/** In written order. A flaw takes only its own source away; the paths of flaws begin with `sources`. */
export function parseSources(
  value: unknown,
  place: SourcePlace,
): { readonly sources: readonly SourceSpec[]; readonly flaws: readonly Flaw[] } {
  // `sources:` with nothing below it is how an empty section looks in YAML.
  if (value === undefined || value === null) return parseSources(DEFAULT, place)
  const at = ['sources']
  if (typeof value !== 'object' || Array.isArray(value)) {
    const what = `must be a map of names to sources, not ${quote(value)}`
    return { sources: [], flaws: [flaw(at, what)] }
  }
  const written = Object.entries(value)
  if (written.length > MAX_SOURCES) {
    return { sources: [], flaws: [flaw(at, `must hold at most ${MAX_SOURCES} sources`)] }
  }
  const flaws: Flaw[] = []
  const sources = written.flatMap(([name, form]) => {
    const source = parseSource(name, form ?? {}, place)
    if (source.ok) return source.value
    flaws.push(...source.problems)
    return []
  })
  return { sources, flaws }
}

function parseSource(name: string, form: unknown, place: SourcePlace): Parsed<SourceSpec> {
  const refused = refuseName(name)
  if (refused !== null) return refuse([flaw(['sources', name], refused)])
  const kind = kindOf(name, form)
  return kind.ok ? kind.value.parse(name, form, place) : kind
}

/** Names of sources name files and follow an `@`; digits alone would not keep their place among the keys of a map. */
function refuseName(name: string): string | null {
  const refused = refuseId(name)
  if (refused !== null) return refused
  if (name === 'file') return 'the name "file" is that of the main file; give it another'
  return /@|^\.|^\d+$/.test(name)
    ? `the name ${quote(name)} cannot hold an @, begin with a dot, or be a number`
    : null
}

function kindOf(name: string, form: unknown): Parsed<SourceKind> {
  const at = ['sources', name]
  if (typeof form !== 'object' || form === null || Array.isArray(form)) {
    return refuse([flaw(at, `must be a map, not ${quote(form)}`)])
  }
  const written: unknown = 'kind' in form ? form.kind : name
  const found = SOURCE_KINDS.find(({ kind }) => kind === written)
  if (found !== undefined) return { ok: true, value: found }
  const kinds = SOURCE_KINDS.map(({ kind }) => kind)
  const wanted = `one of ${kinds.join(', ')}`
  if (!('kind' in form)) {
    return refuse([flaw(at, `needs a kind, ${wanted}; a name that is one of them is enough`)])
  }
  const near = typeof form.kind === 'string' ? didYouMean(form.kind, kinds) : ''
  return refuse([flaw([...at, 'kind'], `must be ${wanted}, not ${quote(form.kind)}${near}`)])
}
