/** Layouts that are at hand without a wait, for tests. The program loads each when a source has it: providers/catalog/layouts.ts. */
import { createFabioLayout } from '../../src/providers/layouts/fabio/layout.ts'
import { createMembers } from '../../src/providers/layouts/members/formats.ts'
import { createSluiceLayout } from '../../src/providers/layouts/native/layout.ts'
import { createTraefikLayout } from '../../src/providers/layouts/traefik/layout.ts'
import { createVulcandLayout } from '../../src/providers/layouts/vulcand/layout.ts'
import type { Layout } from '../../src/providers/layout.ts'
import type { LayoutChoice, LayoutName } from '../../src/providers/layout.ts'

export function createLayout(
  layout: LayoutName,
  { sealKey, vulcand, kind = 'kv', members }: Omit<LayoutChoice, 'layout'>,
): Layout {
  switch (layout) {
    case 'sluice':
      return createSluiceLayout()
    case 'vulcand':
      return createVulcandLayout(sealKey, vulcand)
    case 'traefik':
      return createTraefikLayout(kind)
    case 'fabio':
      return createFabioLayout()
    case 'nerve':
    case 'serverset':
    case 'curator':
    case 'registrator':
      return createMembers(layout, members)
    default:
      return layout satisfies never
  }
}
