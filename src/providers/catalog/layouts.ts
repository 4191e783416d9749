/** Which keys of a registry hold which objects: one layout for each convention that people use. */
import { createSluiceLayout } from '../layouts/sluice.ts'
import { createTraefikLayout } from '../layouts/traefik/layout.ts'
import { createVulcandLayout } from '../layouts/vulcand/layout.ts'
import type { Layout } from '../layout.ts'
import type { LayoutChoice, LayoutName } from '../layout.ts'

export function createLayout(
  layout: LayoutName,
  { sealKey, kind = 'kv' }: Omit<LayoutChoice, 'layout'>,
): Layout {
  switch (layout) {
    case 'sluice':
      return createSluiceLayout()
    case 'vulcand':
      return createVulcandLayout(sealKey)
    case 'traefik':
      return createTraefikLayout(kind)
    default:
      return layout satisfies never
  }
}
