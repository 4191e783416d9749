/** `discovery` and `discovery_multi` of a service: where its instances are found, and which of several places count. */
import { quote } from '../../model/parsed.ts'
import type { LabelFilter } from './choose.ts'
import type { FeedPlanner } from './feed-plan.ts'
import type { Form } from './form.ts'
import { METHODS, type Found } from './methods.ts'

export interface Watcher extends Found {
  readonly name: string
  readonly filters: readonly LabelFilter[]
}

export interface Discovery {
  /** `sequential`: the first of them that finds something. */
  readonly resolver: 'union' | 'sequential'
  /** At least one. */
  readonly watchers: readonly Watcher[]
}

/** Null after a note: it cannot be read. */
export function readDiscovery(service: Form, name: string, feeds: FeedPlanner): Discovery | null {
  const form = service.map('discovery')
  const several = service.map('discovery_multi')
  if (form === null) {
    if (service.value['discovery'] === undefined) service.note('error', 'needs discovery')
    return null
  }
  if (several === null && form.text('method')?.toLowerCase() !== 'multi') {
    const only = readWatcher(form, 'discovery', name, feeds)
    return only === null ? null : { resolver: 'union', watchers: [only] }
  }
  return several === null
    ? readMulti(form, null, name, feeds)
    : readMulti(several, form, name, feeds)
}

/** `primary`: that of `discovery` beside `discovery_multi`. */
function readMulti(
  form: Form,
  primary: Form | null,
  name: string,
  feeds: FeedPlanner,
): Discovery | null {
  form.known(['method', 'watchers', 'resolver'])
  const written = form.map('watchers')
  const names = Object.keys(written?.value ?? {}).filter(
    (one) => primary === null || one !== 'primary',
  )
  const forms = names.map((one) => [one, written?.map(one) ?? null] as const)
  const watchers = [...(primary === null ? [] : [['primary', primary] as const]), ...forms].flatMap(
    ([one, inner]) => {
      const watcher = inner === null ? null : readWatcher(inner, one, name, feeds)
      return watcher === null ? [] : [watcher]
    },
  )
  if (watchers.length === 0) {
    form.note('error', 'has no watchers')
    return null
  }
  const resolver = form.map('resolver')
  const method = resolver?.text('method')
  if (method === 'union') return { resolver: 'union', watchers }
  // Of the example of synapse: that of discovery first.
  if (method === 'fallback') return { resolver: 'sequential', watchers }
  if (method === 'sequential' && resolver !== null) return readSequential(resolver, watchers)
  if (method === 's3_toggle') {
    const normal = watchers.find((one) => one.name === 'primary') ?? watchers[0]
    resolver?.note(
      'warning',
      `s3_toggle is not read: ${quote(normal?.name)} is used; to switch by hand, edit sequential_order of the resolver sequential`,
      'method',
    )
    return { resolver: 'sequential', watchers: normal === undefined ? [] : [normal] }
  }
  form.note(
    'error',
    `its resolver must have the method union or sequential, not ${quote(method)}`,
    'resolver',
  )
  return null
}

function readSequential(resolver: Form, watchers: readonly Watcher[]): Discovery | null {
  resolver.known(['method', 'sequential_order'])
  const order = resolver.texts('sequential_order')
  const ordered = order.flatMap((name) => watchers.find((one) => one.name === name) ?? [])
  if (ordered.length === watchers.length && order.length === watchers.length) {
    return { resolver: 'sequential', watchers: ordered }
  }
  const names = watchers.map(({ name }) => name).join(', ')
  resolver.note('error', `must name each of the watchers once: ${names}`, 'sequential_order')
  return null
}

function readWatcher(
  form: Form,
  name: string,
  service: string,
  feeds: FeedPlanner,
): Watcher | null {
  const method = form.text('method')?.toLowerCase() ?? ''
  const read = Object.hasOwn(METHODS, method) ? METHODS[method] : undefined
  if (read === undefined) {
    const known = Object.keys(METHODS).join(', ')
    form.note(
      'error',
      `there is no method ${quote(form.value['method'])}; known are multi, ${known}`,
      'method',
    )
    return null
  }
  const found = read(form, feeds, service)
  return found === null ? null : { name, ...found, filters: readFilters(form) }
}

function readFilters(form: Form): readonly LabelFilter[] {
  const written = [...form.maps('label_filter'), ...form.maps('label_filters')]
  return written.map((one): LabelFilter => {
    one.known(['label', 'value', 'condition'])
    const condition = one.value['condition']
    if (condition !== 'equals' && condition !== 'not-equals') {
      one.note(
        'error',
        `must be equals or not-equals, not ${quote(condition)}: no instance passes`,
        'condition',
      )
      // Neither holds, as in synapse.
      return { label: '', value: {}, isEqual: true }
    }
    return {
      label: one.text('label') ?? '',
      value: one.value['value'],
      isEqual: condition === 'equals',
    }
  })
}
