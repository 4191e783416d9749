// needs: docker-engine
import { after } from 'node:test'
import { createDockerProvider } from '../../src/providers/docker/docker-provider.ts'
import { startDockerEngine } from '../support/docker-engine.ts'
import { dockerSource } from '../support/docker-source.ts'
import { testProvider, type Routes } from './provider-suite.ts'

const engine = await startDockerEngine({ after })

/** One container for each frontend. */
async function write(routes: Routes): Promise<void> {
  const running = await engine.docker('ps', '-a', '--format', '{{.Names}}')
  const names = running === '' ? [] : running.split('\n')
  const gone = names.filter((name) => routes[name] === undefined)
  if (gone.length > 0) await engine.docker('rm', '-f', ...gone)
  for (const [name, route] of Object.entries(routes)) {
    if (names.includes(name)) continue
    await engine.run(name, { 'sluice.enable': 'true', 'sluice.rule': route, 'sluice.port': '80' })
  }
}

/** Stopped, it accepts connections and says nothing. */
function signal(name: 'SIGSTOP' | 'SIGCONT'): void {
  const pid = engine.pid()
  if (pid !== null) process.kill(pid, name)
}

testProvider('docker', async (t) => {
  await engine.removeAll()
  t.after(async () => {
    signal('SIGCONT')
    if (engine.pid() === null) await engine.start()
  })
  return {
    provider: createDockerProvider(dockerSource({ endpoint: `unix://${engine.socket}` })),
    async write(routes) {
      signal('SIGCONT')
      if (engine.pid() === null) await engine.start()
      await write(routes)
    },
    spoil: async () => signal('SIGSTOP'),
    remove: () => engine.kill(),
  }
})
