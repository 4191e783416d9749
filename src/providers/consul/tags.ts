/** The tags and the metadata of a service as labels. */

import { hasFabioTag } from '../layouts/fabio/tags.ts'

/** What Traefik's tags begin with, unless the option `prefix` says otherwise. */
export const TRAEFIK_PREFIX = 'traefik'

/** Whether any of its tags is for us, so that the service is read. */
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
    const name = key.replaceAll('_', '.')
    const isLabel = isBelow(name, 'sluice') || isBelow(name, prefix)
    if (isLabel && typeof value === 'string') labels.set(toTraefik(name, prefix), value)
  }
  for (const tag of tags) {
    const equals = tag.indexOf('=')
    const name = (equals === -1 ? tag : tag.slice(0, equals)).trim()
    const value = equals === -1 ? '' : tag.slice(equals + 1)
    labels.set(toTraefik(name, prefix), value)
  }
  return labels
}

function toTraefik(name: string, prefix: string): string {
  if (prefix === TRAEFIK_PREFIX || !name.startsWith(`${prefix}.`)) return name
  return TRAEFIK_PREFIX + name.slice(prefix.length)
}
