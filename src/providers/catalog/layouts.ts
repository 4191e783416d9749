/** Which objects stand in which keys of a registry. One layout for each way that people write theirs. */
import type { EtcdSource, LayoutName, RedisSource, StoreSource } from '../../model/source-spec.ts'
import { createSluiceLayout } from '../layouts/sluice.ts'
import { createTraefikLayout } from '../layouts/traefik/layout.ts'
import { createVulcandLayout } from '../layouts/vulcand/layout.ts'
import type { Layout } from '../registry/mirror.ts'

export interface LayoutOptions {
  /** Opens vulcand's sealed key pairs: 64 hex digits. */
  readonly sealKey: string | null
  /** `redis`: what Traefik calls the source, in `shop@redis`. */
  readonly kind?: string
}

/** That of a registry; the embedded store has our own. */
export function createLayoutOf(source: EtcdSource | RedisSource | StoreSource): Layout {
  return source.kind === 'store'
    ? createLayout('sluice', { sealKey: null })
    : createLayout(source.layout, source)
}

export function createLayout(name: LayoutName, { sealKey, kind = 'kv' }: LayoutOptions): Layout {
  switch (name) {
    case 'sluice':
      return createSluiceLayout()
    case 'vulcand':
      return createVulcandLayout(sealKey)
    case 'traefik':
      return createTraefikLayout(kind)
    default:
      return name satisfies never
  }
}
