/** The tags and the metadata of a service as labels. */
import { hasFabioTag } from '../layouts/fabio/tags.ts'
import { TRAEFIK_PREFIX } from './traefik-prefix.ts'

/** Whether any of its tags is for Sluice, so that the service is read. */
export function isOurs(tags: readonly string[], prefix: string): boolean {
  return tags.some((tag) => isBelow(tag, 'sluice') || isBelow(tag, prefix)) || hasFabioTag(tags)
}

function isBelow(tag: string, name: string): boolean {
  const { length } = name
  if (tag.slice(0, length).toLowerCase() !== name.toLowerCase()) return false
  return tag.length === length || tag[length] === '.' || tag[length] === '='
}

/**
 * `sluice.host=shop.example` is the label `sluice.host`, split at the first `=`. Keys of metadata have no dots in Consul, so
 * `sluice_host` is the same label; a tag of that name is preferred.
 */
export function labelsOf(
  tags: readonly string[],
  meta: Readonly<Record<string, unknown>>,
  prefix: string,
): ReadonlyMap<string, string> {
  const labels = new Map<string, string>()
  for (const [key, value] of Object.entries(meta)) {
    const name = toLabel(key.replaceAll('_', '.'), prefix)
    const isLabel = name !== null && (isBelow(name, 'sluice') || isBelow(name, TRAEFIK_PREFIX))
    if (isLabel && typeof value === 'string') labels.set(name, value)
  }
  for (const tag of tags) {
    const equals = tag.indexOf('=')
    const name = toLabel((equals === -1 ? tag : tag.slice(0, equals)).trim(), prefix)
    if (name !== null) labels.set(name, equals === -1 ? '' : tag.slice(equals + 1))
  }
  return labels
}

/** Null: it is for another proxy, of which Traefik's prefix is the usual one. */
function toLabel(name: string, prefix: string): string | null {
  if (isBelow(name, prefix)) return TRAEFIK_PREFIX + name.slice(prefix.length)
  return isBelow(name, TRAEFIK_PREFIX) ? null : name
}
