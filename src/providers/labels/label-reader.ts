/**
 * Labels to objects. Each instance is translated by itself, once as long as it stays the same object, and then all of them are
 * merged, so that a change among 1,000 containers costs the translation of one.
 */
import type { Problem } from '../../model/problem.ts'
import type { KeyEntry } from '../layout.ts'
import { quote } from '../../model/parsed.ts'
import { problemAt, toId, type Definition, type Reading } from './definition.ts'
import { exposureOf, switchOf } from './exposure.ts'
import type { Labelled, LabelReader, LabelRules, LabelSourceKind } from './labelled.ts'
import { mergeReadings } from './merge.ts'
import { hasNativeLabels, readNativeLabels } from './native.ts'
import {
  createTraefikReader,
  type SharedKeys,
  type TraefikReader,
  type TraefikReading,
} from './traefik.ts'
import { hasTraefikLabels } from './traefik-keys.ts'
import { hasVirtualHost, readVirtualHosts } from './virtual-host.ts'

export type LabelReaderOptions = LabelRules & { readonly kind: LabelSourceKind }

/** `kind`: of the source. */
export function createLabelReader(rules: LabelReaderOptions): LabelReader {
  const known = new WeakMap<Labelled, Dialects>()
  const traefik = createTraefikReader(rules)

  function dialectsOf(item: Labelled): Dialects {
    const before = known.get(item)
    if (before !== undefined) return before
    const dialects = readItem(item, rules, traefik)
    known.set(item, dialects)
    return dialects
  }

  return {
    read(items) {
      const all = [...items].sort(byAge).map((item) => ({ key: item.key, ...dialectsOf(item) }))
      const { shared, problems } = shareKeys(all)
      const readings = all.flatMap(({ plain, traefik }): readonly Reading[] =>
        traefik === null
          ? [plain]
          : [plain, { definitions: traefik.routers(shared), problems: NO_PROBLEMS }],
      )
      return mergeReadings([...readings, { definitions: [], problems }])
    },
  }
}

const NO_PROBLEMS: readonly Problem[] = []

function byAge(one: Labelled, other: Labelled): number {
  if (one.createdAt !== other.createdAt) return one.createdAt - other.createdAt
  return one.id < other.id ? -1 : Number(one.id > other.id)
}

interface Shared {
  readonly shared: ReadonlyMap<string, readonly KeyEntry[]>
  readonly problems: readonly Problem[]
}

/** Of two different middlewares with one name the earlier one is in force, as for objects. */
function shareKeys(
  all: readonly { readonly key: string; readonly traefik: TraefikReading | null }[],
): Shared {
  const owners = new Map<string, { readonly key: string; readonly keys: SharedKeys }>()
  const problems: Problem[] = []
  for (const { key, traefik } of all) {
    for (const [group, keys] of traefik?.shared ?? []) {
      const owner = owners.get(group)
      if (owner === undefined) owners.set(group, { key, keys })
      else if (owner.keys.text !== keys.text) {
        const [sort = '', , ...name] = group.split('/')
        const what = `${sort === 'middleware' ? 'middleware' : 'service'} ${quote(name.join('/'))}`
        const why = `differs from that of ${owner.key}, which is older and in force`
        problems.push(problemAt(key, `${what} ${why}`))
      }
    }
  }
  const shared = new Map([...owners].map(([group, { keys }]) => [group, keys.entries]))
  return { shared, problems }
}

/** What the labels of an instance declare, in each language of labels. */
interface Dialects {
  /** Without the routers of Traefik. */
  readonly plain: Reading
  readonly traefik: TraefikReading | null
}

function readItem(written: Labelled, rules: LabelReaderOptions, reader: TraefikReader): Dialects {
  const item = withTrimmedNames(written)
  const isVirtual = rules.virtualHost && hasVirtualHost(item)
  // In nginx-proxy the variable is the switch.
  const { isExposed, problems } = exposureOf(item, {
    ...rules,
    exposedByDefault: rules.exposedByDefault || isVirtual,
  })
  if (!isExposed) return { plain: { definitions: [], problems }, traefik: null }
  const traefik = isOfTraefik(item.labels) ? reader.read(item) : null
  const virtual = isVirtual ? readVirtualHosts(item) : null
  const isAlone = traefik === null && virtual === null
  const isNative = isAlone || hasNativeLabels(item.labels)
  const definitions = [
    ...(isNative ? readNativeLabels(item, rules) : []),
    ...(traefik?.definitions ?? []),
    ...(virtual?.definitions ?? []),
  ]
  return {
    plain: {
      definitions,
      problems: [
        ...(traefik?.problems ?? []),
        ...(virtual?.problems ?? []),
        ...(isAlone ? withoutRoute(item, definitions) : []),
      ],
    },
    traefik,
  }
}

/** With a name of its own, the backend is meant for a frontend that is declared elsewhere. */
function withoutRoute(
  { key, service, labels }: Labelled,
  definitions: readonly Definition[],
): readonly Problem[] {
  if (switchOf(labels, 'sluice.enable') !== true) return []
  if (labels.has('sluice.backend') || labels.has('sluice.name')) return []
  if (definitions.some(({ object: { kind } }) => kind === 'frontend' || kind === 'listener'))
    return []
  const backend = quote(toId(service))
  const message = `has no route: write sluice.host, sluice.path or sluice.rule, unless another source declares a frontend for backend ${backend}`
  return [problemAt(key, message, 'hint')]
}

/** A name with a space at its beginning is how a list in a file goes wrong; the label is meant. */
function withTrimmedNames(item: Labelled): Labelled {
  const { labels } = item
  if ([...labels.keys()].every((name) => name.trim() === name)) return item
  const trimmed = new Map([...labels].map(([name, text]) => [name.trim(), text]))
  return { ...item, labels: trimmed, address: (port) => item.address(port) }
}

/** With its switch alone, Traefik makes a router of its default rule. */
function isOfTraefik(labels: ReadonlyMap<string, string>): boolean {
  const isOn = switchOf(labels, 'traefik.enable')
  if (isOn === false) return false
  return hasTraefikLabels(labels) || (isOn === true && !hasNativeLabels(labels))
}
