/** Which objects stand in which keys of a registry. One layout for each way that people write theirs. */
import type { LayoutName } from '../model/source-spec.ts'
import { createSluiceLayout } from './layout-sluice.ts'
import { createTraefikLayout } from './layout-traefik.ts'
import { createVulcandLayout } from './layout-vulcand.ts'
import type { Layout } from './mirror.ts'

export interface LayoutOptions {
  /** Opens vulcand's sealed key pairs: 64 hex digits. */
  readonly sealKey: string | null
  /** `redis`: what Traefik calls the source, in `shop@redis`. */
  readonly kind?: string
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
