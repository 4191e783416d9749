/** What vulcand has as flags of its program, and not in keys: defaults of all listeners and backends, and aliases of routes. */
import type { ObjectKind } from '../../../model/names.ts'
import { isMap, type JsonMap } from '../../../model/parsed.ts'
import { formatDuration } from '../../../model/units.ts'
import type { DaemonFlags } from '../../layout.ts'

/** The value of a translation, with what the flags say of objects of its kind. */
export function withDaemonFlags(kind: ObjectKind, value: unknown, flags: DaemonFlags): unknown {
  if (!isMap(value)) return value
  switch (kind) {
    case 'listener':
      return withDefaults(value, listenerDefaults(flags))
    case 'backend':
      return withDefaults(value, { timeouts: backendTimeouts(flags) })
    case 'frontend':
      return { ...value, route: withAliases(String(value['route']), flags.aliases) }
    case 'host':
    case 'server':
    case 'middleware':
      return value
    default:
      return kind satisfies never
  }
}

function listenerDefaults({ readMs, maxHeaderBytes }: DaemonFlags): JsonMap {
  const read = readMs === null ? null : formatDuration(readMs)
  return {
    ...(read === null ? {} : { timeouts: { head: read, body: read, idle: read } }),
    ...(maxHeaderBytes === null
      ? {}
      : { limits: { head: maxHeaderBytes, target: maxHeaderBytes } }),
  }
}

function backendTimeouts({ dialMs, readMs }: DaemonFlags): JsonMap {
  return {
    ...(dialMs === null ? {} : { connect: formatDuration(dialMs) }),
    ...(readMs === null ? {} : { firstByte: formatDuration(readMs) }),
  }
}

/** What is declared has precedence, member by member. */
function withDefaults(value: JsonMap, defaults: JsonMap): JsonMap {
  const merged: Record<string, unknown> = { ...value }
  for (const [name, normal] of Object.entries(defaults)) {
    const own = merged[name]
    merged[name] = isMap(normal) && isMap(own) ? { ...normal, ...own } : (own ?? normal)
  }
  return merged
}

/** vulcand also registers the route with the text of each alias in place of its key. Its language has no `||` of its own. */
function withAliases(route: string, aliases: DaemonFlags['aliases']): string {
  const others = Object.entries(aliases)
    .filter(([from]) => route.includes(from))
    .map(([from, to]) => route.replaceAll(from, () => to))
  return others.length === 0 ? route : [route, ...others].join(' || ')
}
