/**
 * Which instances of a service get traffic, as synapse decides: those that were found, else `default_servers`, else those of
 * before; of these, those whose labels pass all filters; of these, the leader if there is an election.
 */
import { isEqual } from '../../model/equal.ts'
import type { JsonMap } from '../../model/parsed.ts'
import type { Instance } from './instance.ts'

export interface LabelFilter {
  readonly label: string
  readonly value: unknown
  readonly isEqual: boolean
}

export interface Rules {
  readonly defaults: readonly Instance[]
  /** Defaults are used beside what is found. */
  readonly keepsDefaults: boolean
  /** If nothing is found and there are no defaults. */
  readonly usesPrevious: boolean
  /** Instead of the ports that were found. */
  readonly port: number | null
  /** All must hold. */
  readonly filters: readonly LabelFilter[]
  /** Only the instance with the smallest id. */
  readonly electsLeader: boolean
}

export interface Choice {
  readonly instances: readonly Instance[]
  /** Before filters and election: the previous ones of the next time. */
  readonly known: readonly Instance[]
  /** Whether an instance that was found is among them, not only a default or a previous one. */
  readonly isFound: boolean
  /** Why there are others than those that were found, or none. */
  readonly reason: string | null
}

/** `found`: null if it is not known, because the source has not responded yet. */
export function choose(
  rules: Rules,
  found: readonly Instance[] | null,
  previous: readonly Instance[] | null,
): Choice {
  const { known, reason } = select(rules, found, previous)
  const passed = known.filter((one) => rules.filters.every((filter) => passes(one.labels, filter)))
  const filtered =
    known.length > 0 && passed.length === 0 ? 'no instance passes label_filters' : null
  const elected = rules.electsLeader ? elect(passed) : { instances: passed, reason: null }
  return {
    known,
    instances: elected.instances,
    isFound: found !== null && found.length > 0 && elected.instances.length > 0,
    reason: filtered ?? elected.reason ?? reason,
  }
}

function select(
  { defaults, keepsDefaults, usesPrevious, port }: Rules,
  found: readonly Instance[] | null,
  previous: readonly Instance[] | null,
): Pick<Choice, 'known' | 'reason'> {
  if (found === null) {
    const known = previous ?? defaults
    return { known, reason: `nothing is known of its instances yet: ${describe(known, previous)}` }
  }
  const all = keepsDefaults ? [...found, ...defaults] : found
  const merged = unique(port === null ? all : all.map((one) => ({ ...one, port })))
  if (merged.length > 0) return { known: merged, reason: null }
  if (defaults.length > 0) {
    return { known: defaults, reason: `no instance is found: ${describe(defaults, null)}` }
  }
  const known = usesPrevious ? (previous ?? []) : []
  return { known, reason: `no instance is found: ${describe(known, known)}` }
}

function describe(known: readonly Instance[], previous: readonly Instance[] | null): string {
  if (known.length === 0) return 'it has no servers'
  return previous === known ? 'the previous ones stay' : 'default_servers are used'
}

/** By host, port and name. */
function unique(instances: readonly Instance[]): readonly Instance[] {
  const seen = new Set<string>()
  return instances.filter(({ host, port, name }) => {
    const key = `${host} ${port} ${name}`
    if (seen.has(key)) return false
    seen.add(key)
    return true
  })
}

function passes(labels: JsonMap, { label, value, isEqual: wantsEqual }: LabelFilter): boolean {
  const has = Object.hasOwn(labels, label) ? labels[label] : null
  return isEqual(has, value) === wantsEqual
}

function elect(instances: readonly Instance[]): Pick<Choice, 'instances' | 'reason'> {
  let leader: Instance | null = null
  for (const one of instances) {
    if (one.id === null) {
      return { instances: [], reason: 'no leader can be elected: not every instance has an id' }
    }
    if (leader === null || one.id < (leader.id ?? 0)) leader = one
  }
  return { instances: leader === null ? [] : [leader], reason: null }
}
