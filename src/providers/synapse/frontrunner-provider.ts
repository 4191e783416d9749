/** The tasks of a Marathon as frontrunner serves them, read as text. */
import type { ResolverSettings } from '../../model/settings.ts'
import { marathon } from '../marathon/source.ts'
import type { Provider } from '../provider.ts'
import { withTemplate, type FrontrunnerPlan } from './frontrunner.ts'
import { withObjects } from './with-objects.ts'

const READ = { kind: 'marathon', read: 'tasks', servicePorts: '0.0.0.0', serviceMode: 'tcp' }

export async function openFrontrunner(
  name: string,
  { url }: FrontrunnerPlan,
  resolver: ResolverSettings,
): Promise<Provider> {
  const { origin, pathname } = new URL(url)
  const written = { ...READ, endpoints: [origin], ...(pathname === '/' ? {} : { path: pathname }) }
  const parsed = marathon.parse(name, written, { filename: '', data: '', resolver })
  if (!parsed.ok) throw new Error(parsed.problems.map(({ message }) => message).join('; '))
  const provider = await marathon.open(parsed.value, () =>
    Promise.reject(new Error('has no layout')),
  )
  return withObjects(provider, withTemplate)
}
