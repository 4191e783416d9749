// needs: consul
// Issue 11: "`sluice check --from consul` reads live tags", at a real Consul and as a command.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { startConsul } from '../support/consul.ts'
import { makeFolder, runProgram } from '../support/program.ts'

test('the tags of services are a table, and what is not there fails the check', async (t) => {
  const consul = await startConsul(t)
  const register = (Name: string, ...Tags: readonly string[]): Promise<void> =>
    consul.register({ Name, Port: 9, Address: '10.0.0.9', Tags })
  await register(
    'whoami',
    'traefik.enable=true',
    'traefik.http.routers.whoami.rule=Host(`whoami.localhost`)',
  )
  await register(
    'private',
    'traefik.enable=true',
    'traefik.http.routers.private.rule=Host(`private.localhost`)',
    'traefik.http.routers.private.middlewares=auth',
    'traefik.http.middlewares.auth.forwardauth.address=http://auth',
  )
  const config = join(makeFolder(t), 'sluice.yaml')
  const sources = `{ consul: { endpoints: ['${consul.endpoint}'] } }`
  writeFileSync(config, `listeners: { web: { address: ':80' } }\nsources: ${sources}\n`)

  const { code, output } = await runProgram(t, ['check', '--from', 'consul', config])

  assert.equal(code, 1)
  assert.match(
    output,
    /^not there {2}\S.* {2}frontend private: is closed, requests get 503: middleware "auth": "forwardauth" is not supported yet$/m,
  )
  assert.match(
    output,
    /^maps {7}\S.* {2}frontend whoami: Host\(`whoami\.localhost`\) to backend whoami$/m,
  )
  assert.match(output, /^maps {7}\S.* {2}server whoami\/.*: http:\/\/10\.0\.0\.9:9\b/m)
})
