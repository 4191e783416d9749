// needs: docker-engine
// Issue 11: "`sluice check --from docker` reads live labels", at a real engine and as a command.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { startDockerEngine } from '../support/docker-engine.ts'
import { makeFolder, runProgram } from '../support/program.ts'

const engine = await startDockerEngine({ after })

test('the labels of running containers are a table, and what is not there fails the check', async (t) => {
  await engine.run('whoami', {
    'traefik.enable': 'true',
    'traefik.http.routers.whoami.rule': 'Host(`whoami.localhost`)',
    'traefik.http.services.whoami.loadbalancer.server.port': '9',
  })
  await engine.run('private', {
    'traefik.enable': 'true',
    'traefik.http.routers.private.rule': 'Host(`private.localhost`)',
    'traefik.http.routers.private.middlewares': 'auth',
    'traefik.http.middlewares.auth.basicauth.users': 'a:b',
    'traefik.http.services.private.loadbalancer.server.port': '9',
  })
  const config = join(makeFolder(t), 'sluice.yaml')
  const source = `{ kind: docker, endpoint: 'unix://${engine.socket}' }`
  writeFileSync(config, `listeners: { web: { address: ':80' } }\nsources: { box: ${source} }\n`)

  const { code, output } = await runProgram(t, ['check', '--from', 'docker', config])

  assert.equal(code, 1)
  const lines = output.trimEnd().split('\n')
  assert.ok(
    lines.includes(
      'not there  container private  frontend private: is closed, requests get 503: middleware "auth": "basicauth" is not supported yet',
    ),
    output,
  )
  assert.ok(
    lines.includes(
      'maps       container whoami   frontend whoami: Host(`whoami.localhost`) to backend whoami',
    ),
    output,
  )
})
