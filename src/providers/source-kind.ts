/**
 * The seam of source kinds. A kind is one file, KIND/source.ts, and one line in catalog/sources.ts. The file describes the
 * options once: the JSON Schema, validation, defaults and the table in docs come from it. The client of a kind is loaded
 * when a source of the kind is opened.
 */
import { realpathSync } from 'node:fs'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import * as z from 'zod'
import type { ReadPem } from '../model/certificate.ts'
import { flaw, refuse, type Flaw, type Parsed, type Path } from '../model/parsed.ts'
import type { ResolverSettings, SourceSpec } from '../model/settings.ts'
import { orForever, section, strict, type Complain } from '../options/fields.ts'
import { parseWith } from '../options/parse.ts'
import type { Layout, LayoutChoice } from './layout.ts'
import type { Provider } from './provider.ts'
import type { KeyStore } from './store.ts'

/** What relative paths and defaults start from. */
export interface SourcePlace {
  /** The settings' file. */
  readonly filename: string
  /** The folder for what Sluice writes itself. */
  readonly data: string
  /** How names of servers are resolved. */
  readonly resolver: ResolverSettings
}

/** Each layout is loaded when a source has it. */
export type LoadLayout = (choice: LayoutChoice) => Promise<Layout>

/** `Own`: the options of the kind after parsing, total. */
export interface SourceKindDefinition<Shape extends z.core.$ZodLooseShape, Own extends object> {
  /** As `kind` in the file; a source of this name needs no `kind`. */
  readonly kind: string
  readonly description: string
  /** As written; `kind`, `required` and `shrink` are added. */
  readonly options: Shape
  /** What the written options mean. A call of `complain` refuses the source. */
  readonly read: (form: z.output<z.ZodObject<Shape>>, complain: Complain, place: SourcePlace) => Own
  /**
   * Where the source is: what its last good snapshot belongs to. Other endpoints, another prefix, database, layout or file
   * are another location. Credentials and TLS are not part of it. One location may have several names.
   */
  readonly locations: (spec: SourceSpec & Own) => readonly string[]
  readonly open: (spec: SourceSpec & Own, loadLayout: LoadLayout) => Promise<Provider>
  /** For `sluice put`, `get` and `delete`. Missing: sources of this kind cannot be written to. */
  readonly keys?: {
    readonly open: (spec: SourceSpec & Own) => Promise<KeyStore>
    readonly layout: (spec: SourceSpec & Own) => LayoutChoice
  }
  /** The file or directory that `/api/providers` shows. */
  readonly path?: (spec: SourceSpec & Own) => string
  /** Relative paths in the source's objects start there; missing: at the settings' file. */
  readonly directory?: (spec: SourceSpec & Own) => string
  /** The spec with the text of the files (authorities, certificates) that it names. What is wrong is pushed onto `flaws`. */
  readonly withFiles?: (
    spec: SourceSpec & Own,
    read: ReadPem,
    at: Path,
    flaws: Flaw[],
  ) => SourceSpec & Own
}

/** With the type of its options closed over: each function takes a spec that `parse` of the same kind returned. */
export interface SourceKind {
  readonly kind: string
  readonly schema: z.ZodType
  readonly parse: (name: string, written: unknown, place: SourcePlace) => Parsed<SourceSpec>
  readonly locations: (spec: SourceSpec) => readonly string[]
  readonly open: (spec: SourceSpec, loadLayout: LoadLayout) => Promise<Provider>
  readonly keys: {
    readonly open: (spec: SourceSpec) => Promise<KeyStore>
    readonly layout: (spec: SourceSpec) => LayoutChoice
  } | null
  readonly path: (spec: SourceSpec) => string | null
  readonly directory: (spec: SourceSpec) => string | null
  readonly withFiles: (spec: SourceSpec, read: ReadPem) => Parsed<SourceSpec>
}

interface CommonForm {
  readonly required: boolean
  readonly shrink: {
    /** Null: until an operator confirms. */
    readonly hold: number | null
    readonly share: number
    readonly allowEmpty: boolean
  }
}

/** Of every source, beside its `kind`. */
export const COMMON_OPTIONS: { readonly [Key in keyof CommonForm]: z.ZodType<CommonForm[Key]> } = {
  required: z
    .boolean()
    .default(true)
    .meta({ description: 'Readiness waits for the source, at most start.' }),
  shrink: section(
    {
      hold: orForever(
        'How long vanished objects stay in force before the change is accepted: 10s, or forever: until an operator confirms it.',
        '10s',
      ),
      share: z
        .number()
        .min(0, 'must be from 0 to 1')
        .max(1, 'must be from 0 to 1')
        .default(0.5)
        .meta({ description: 'The share of objects that must vanish at once to be held.' }),
      allowEmpty: z
        .boolean()
        .default(false)
        .meta({ description: 'Accept an empty source at once.' }),
    },
    'What happens if much of the source vanishes at once.',
  ),
}

export function defineSource<const Shape extends z.core.$ZodLooseShape, Own extends object>(
  kind: SourceKindDefinition<Shape, Own>,
): SourceKind {
  const { keys } = kind
  const form = strict(
    { kind: z.literal(kind.kind).default(kind.kind), ...kind.options, ...COMMON_OPTIONS },
    kind.description,
  )
  const own = (spec: SourceSpec): SourceSpec & Own => spec as SourceSpec & Own

  return {
    kind: kind.kind,
    schema: form,
    parse(name, written, place) {
      const at = ['sources', name]
      const parsed = parseWith(form, written, at)
      if (!parsed.ok) return parsed
      const flaws: Flaw[] = []
      const complain: Complain = (message, path) => flaws.push(flaw([...at, ...path], message))
      const { required, shrink } = parsed.value as unknown as CommonForm
      const options = kind.read(parsed.value as z.output<z.ZodObject<Shape>>, complain, place)
      if (flaws.length > 0) return refuse(flaws)
      const { hold: holdMs, share, allowEmpty } = shrink
      const spec = { kind: kind.kind, name, required, shrink: { holdMs, share, allowEmpty } }
      return { ok: true, value: { ...spec, ...options } }
    },
    locations: (spec) => kind.locations(own(spec)),
    open: (spec, loadLayout) => kind.open(own(spec), loadLayout),
    keys:
      keys === undefined
        ? null
        : {
            open: (spec) => keys.open(own(spec)),
            layout: (spec) => keys.layout(own(spec)),
          },
    path: (spec) => kind.path?.(own(spec)) ?? null,
    directory: (spec) => kind.directory?.(own(spec)) ?? null,
    withFiles(spec, read) {
      const flaws: Flaw[] = []
      const whole = kind.withFiles?.(own(spec), read, ['sources', spec.name], flaws) ?? spec
      return flaws.length > 0 ? refuse(flaws) : { ok: true, value: whole }
    },
  }
}

/** As written when absolute, else from the directory of the file that names it. */
export function beside(filename: string, path: string): string {
  return isAbsolute(path) ? path : join(dirname(filename), path)
}

/** The path as it is written and as it leads, independent of the working directory. */
export function pathLocations(what: string, path: string): readonly string[] {
  const whole = resolve(path)
  return [...new Set([whole, realOr(whole)])].map((one) => `${what} ${one}`)
}

function realOr(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}
