/** Which keys of a registry hold which objects: one layout for each convention that people use, loaded when a source has it. */
import { onDemand } from '../../model/on-demand.ts'
import type { Layout, LayoutChoice } from '../layout.ts'

const sealed = onDemand('openpgp', () => import('../sealed/sealed-values.ts'))

/** Throws if its keyring cannot be used. */
export async function loadLayout(choice: LayoutChoice): Promise<Layout> {
  const layout = await loadPure(choice)
  if (choice.decrypt === undefined) return layout
  const { createSealedValues } = await sealed.load()
  return { ...layout, sealed: await createSealedValues(choice.decrypt) }
}

async function loadPure(choice: LayoutChoice): Promise<Layout> {
  const { layout, sealKey, vulcand, kind = 'kv', members } = choice
  switch (layout) {
    case 'sluice': {
      const { createSluiceLayout } = await import('../layouts/native/layout.ts')
      return createSluiceLayout()
    }
    case 'vulcand': {
      const { createVulcandLayout } = await import('../layouts/vulcand/layout.ts')
      return createVulcandLayout(sealKey, vulcand)
    }
    case 'traefik': {
      const { createTraefikLayout } = await import('../layouts/traefik/layout.ts')
      return createTraefikLayout(kind)
    }
    case 'fabio': {
      const { createFabioLayout } = await import('../layouts/fabio/layout.ts')
      return createFabioLayout()
    }
    case 'nerve':
    case 'serverset':
    case 'curator':
    case 'registrator': {
      const { createMembers } = await import('../layouts/members/formats.ts')
      return createMembers(layout, members)
    }
    default:
      return layout satisfies never
  }
}
