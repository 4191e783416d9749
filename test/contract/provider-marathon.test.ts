/** Against a fake of Marathon: see test/support/fake-marathon.ts. */
import { createMarathonProvider } from '../../src/providers/marathon/marathon-provider.ts'
import { startFakeMarathon } from '../support/fake-marathon.ts'
import { createApp } from '../support/marathon-apps.ts'
import { marathonSource } from '../support/marathon-source.ts'
import { testProvider, type Routes } from './provider-suite.ts'

function routedApps(routes: Routes): readonly ReturnType<typeof createApp>[] {
  return Object.entries(routes).map(([id, rule]) =>
    createApp({ id: `/${id}`, labels: { 'sluice.enable': 'true', 'sluice.rule': rule } }),
  )
}

testProvider('marathon', async (t) => {
  const fake = await startFakeMarathon(t)
  return {
    provider: createMarathonProvider(marathonSource(fake.endpoints)),
    async write(routes) {
      await fake.start()
      fake.override('/v2/apps', null)
      const apps = routedApps(routes)
      for (const { id } of fake.apps()) {
        if (!apps.some((app) => app['id'] === id)) fake.remove(String(id))
      }
      for (const app of apps) fake.put(app)
    },
    async spoil() {
      fake.override('/v2/apps', (_request, response) => response.end('<html>'))
      fake.emit('deployment_success', '{}')
    },
    remove: () => fake.stop(),
  }
})
