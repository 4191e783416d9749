/** Which keys of a registry hold which objects: one layout for each convention that people use, loaded when a source has it. */
import type { Layout, LayoutChoice } from '../layout.ts'

export async function loadLayout({ layout, sealKey, kind = 'kv' }: LayoutChoice): Promise<Layout> {
  switch (layout) {
    case 'sluice': {
      const { createSluiceLayout } = await import('../layouts/sluice.ts')
      return createSluiceLayout()
    }
    case 'vulcand': {
      const { createVulcandLayout } = await import('../layouts/vulcand/layout.ts')
      return createVulcandLayout(sealKey)
    }
    case 'traefik': {
      const { createTraefikLayout } = await import('../layouts/traefik/layout.ts')
      return createTraefikLayout(kind)
    }
    default:
      return layout satisfies never
  }
}
