/**
 * `sources:`, a map of names to the registries and folders that declare objects besides the file. What cannot be
 * understood stops a start: to serve without a registry is not what was asked for.
 */
import { isAbsolute, join, dirname } from 'node:path'
import * as z from 'zod'
import { refuseId } from '../model/names.ts'
import { flaw, quote, type Flaw, type Path } from '../model/parsed.ts'
import { parseWith } from '../options/parse.ts'
import { SOURCE_SHAPES, type EtcdForm, type RedisForm, type SourceForm } from './source-shape.ts'
import type { LayoutName, RegistryTls, SourceSpec } from '../model/source-spec.ts'
import { didYouMean } from '../model/suggest.ts'

export type SourceKind = SourceSpec['kind']

export interface SourceWorld {
  /** The declaring file: what is relative starts at its directory. */
  readonly filename: string
  /** The folder for what Sluice writes itself. */
  readonly data: string
}

const KINDS = Object.keys(SOURCE_SHAPES) as SourceKind[]
const MAX_SOURCES = 50

const PREFIXES: Readonly<Record<LayoutName, string>> = {
  sluice: '/sluice',
  vulcand: '/vulcand',
  traefik: 'traefik',
}

const DEFAULT_SHRINK = { holdMs: 10_000, share: 0.5, allowEmpty: false }

/** The embedded store is the registry when no other is named. */
export function defaultSources({ data }: SourceWorld): readonly SourceSpec[] {
  const path = join(data, 'store.db')
  return [{ kind: 'store', name: 'store', required: false, shrink: DEFAULT_SHRINK, path }]
}

/** In written order. What is wrong with one takes only that one away; paths of flaws begin with `sources`. */
export function parseSources(
  value: unknown,
  world: SourceWorld,
): { readonly sources: readonly SourceSpec[]; readonly flaws: readonly Flaw[] } {
  // `sources:` with nothing below it is how an empty section looks in YAML.
  if (value === undefined || value === null) return { sources: defaultSources(world), flaws: [] }
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
    const found: Flaw[] = []
    const source = parseSource(name, form ?? {}, world, found)
    flaws.push(...found)
    return source === null || found.length > 0 ? [] : source
  })
  return { sources, flaws }
}

type Complain = (path: Path, what: string) => void

/** What is wrong is pushed onto `flaws`. */
function parseSource(
  name: string,
  form: unknown,
  world: SourceWorld,
  flaws: Flaw[],
): SourceSpec | null {
  const complain = (path: Path, what: string): void => {
    flaws.push(flaw(['sources', name, ...path], what))
  }
  const refused = refuseName(name)
  if (refused !== null) {
    complain([], refused)
    return null
  }
  const kind = kindOf(name, form, complain)
  if (kind === null) return null
  // Around it, so that its flaws name their places from the top.
  const shape: z.ZodType<SourceForm> = SOURCE_SHAPES[kind]
  const around = z.object({ sources: z.record(z.string(), shape) })
  const parsed = parseWith(around, { sources: { [name]: form } })
  const found = parsed.ok ? parsed.value.sources[name] : undefined
  if (found !== undefined) return toSpec(name, found, world, complain)
  if (!parsed.ok) flaws.push(...parsed.problems)
  return null
}

/** They name files and stand behind an `@`; and digits alone would not keep their place among the others. */
function refuseName(name: string): string | null {
  const refused = refuseId(name)
  if (refused !== null) return refused
  if (name === 'file') return 'the name "file" is that of the main file; give it another'
  return /@|^\.|^\d+$/.test(name)
    ? `the name ${quote(name)} cannot hold an @, begin with a dot, or be a number`
    : null
}

function kindOf(name: string, form: unknown, complain: Complain): SourceKind | null {
  const isMap = typeof form === 'object' && form !== null && !Array.isArray(form)
  if (!isMap) {
    complain([], `must be a map, not ${quote(form)}`)
    return null
  }
  const written: unknown = 'kind' in form ? form.kind : name
  const kind = KINDS.find((known) => known === written)
  if (kind !== undefined) return kind
  const wanted = `one of ${KINDS.join(', ')}`
  if ('kind' in form) {
    const near = typeof form.kind === 'string' ? didYouMean(form.kind, KINDS) : ''
    complain(['kind'], `must be ${wanted}, not ${quote(form.kind)}${near}`)
  } else complain([], `needs a kind, ${wanted}; a name that is one of them tells it, too`)
  return null
}

function toSpec(
  name: string,
  form: SourceForm,
  world: SourceWorld,
  complain: Complain,
): SourceSpec {
  const { required, shrink } = form
  const common = {
    name,
    required,
    shrink: { holdMs: shrink.hold, share: shrink.share, allowEmpty: shrink.allowEmpty },
  }
  switch (form.kind) {
    case 'etcd':
      return { ...common, kind: 'etcd', ...toEtcd(form, complain) }
    case 'redis':
      return { ...common, kind: 'redis', ...toRedis(form, complain) }
    case 'files':
      return { ...common, kind: 'files', directory: beside(world.filename, form.directory) }
    case 'store': {
      const path =
        form.path === undefined ? join(world.data, 'store.db') : beside(world.filename, form.path)
      return { ...common, kind: 'store', path }
    }
    default:
      return form satisfies never
  }
}

type Rest<Kind extends SourceKind> = Omit<
  Extract<SourceSpec, { kind: Kind }>,
  'kind' | 'name' | 'required' | 'shrink'
>

function toEtcd(form: EtcdForm, complain: Complain): Rest<'etcd'> {
  const { username, password } = form
  if ((username === undefined) !== (password === undefined)) {
    complain([username === undefined ? 'password' : 'username'], 'needs both username and password')
  }
  return {
    endpoints: form.endpoints.addresses,
    ...toCommon(form, form.endpoints.isTls, complain),
    username: username ?? null,
    password: password ?? null,
  }
}

function toRedis(form: RedisForm, complain: Complain): Rest<'redis'> {
  const { url, cluster } = form
  for (const key of ['endpoints', 'database', 'username', 'password'] as const) {
    if (url === undefined || form[key] === undefined) continue
    if (key === 'endpoints' || url[key] !== null) complain([key], 'is said by the url already')
  }
  if (url === undefined && form.endpoints === undefined) complain([], 'needs a url or endpoints')
  const endpoints = url === undefined ? (form.endpoints?.addresses ?? []) : [url.endpoint]
  const database = form.database ?? url?.database ?? 0
  const username = form.username ?? url?.username ?? null
  const password = form.password ?? url?.password ?? null
  if (endpoints.length > 1 && !cluster) {
    complain(['endpoints'], 'several are the seeds of a cluster: add cluster: true, or name one')
  }
  if (cluster && database !== 0) complain(['database'], 'a cluster has database 0 only')
  if (username !== null && password === null) complain(['username'], 'needs a password')
  const isTls = url?.isTls ?? form.endpoints?.isTls ?? false
  return {
    endpoints,
    cluster,
    database,
    ...toCommon(form, isTls, complain),
    username,
    password,
  }
}

const DEFAULT_TLS: RegistryTls = {
  ca: null,
  cert: null,
  key: null,
  serverName: null,
  verify: true,
}

function toCommon(
  form: EtcdForm | RedisForm,
  isTls: boolean,
  complain: Complain,
): Pick<Rest<'etcd'>, 'prefix' | 'layout' | 'tls' | 'sealKey'> {
  const { layout, tls } = form
  if ((tls?.cert === undefined) !== (tls?.key === undefined)) {
    complain(['tls'], 'needs both cert and key, or neither')
  }
  return {
    prefix: form.prefix ?? PREFIXES[layout],
    layout,
    tls:
      tls === undefined
        ? isTls
          ? DEFAULT_TLS
          : null
        : {
            ca: tls.ca ?? null,
            cert: tls.cert ?? null,
            key: tls.key ?? null,
            serverName: tls.serverName ?? null,
            verify: tls.verify,
          },
    sealKey: form.sealKey ?? null,
  }
}

/** As written when absolute, else from the directory of the file that names it. */
export function beside(filename: string, path: string): string {
  return isAbsolute(path) ? path : join(dirname(filename), path)
}
