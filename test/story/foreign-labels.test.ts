// needs: docker-engine
// Issue 11: "a compose file with Traefik labels as its documentation writes them, unchanged: routes as Traefik would", and
// nginx-proxy's variables: what clients of a program get that follows a real engine.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { openClient, type ReceivedResponse } from '../support/client.ts'
import { nodeIn, startDockerEngine } from '../support/docker-engine.ts'
import { labelsOf } from '../support/labelled.ts'
import { value } from '../support/message.ts'
import { choosePort } from '../support/ports.ts'
import { startProgram } from '../support/program.ts'
import { untilTable } from '../support/sources.ts'

const engine = await startDockerEngine({ after })

/** Answers with its name and the header that a middleware sets. */
function whoami(name: string, port: number): string {
  return `require('node:http').createServer((request, response) =>
    response.end('${name} ' + (request.headers['x-service-middleware'] ?? '')))
    .listen(${port}, '127.0.0.1')`
}

test('requests go where the labels of Traefik and the variables of nginx-proxy say', async (t) => {
  const [one, two, three, four] = [
    await choosePort(),
    await choosePort(),
    await choosePort(),
    await choosePort(),
  ]
  const host = 'whoami.docker.localhost'
  async function start(
    name: string,
    port: number,
    labels: readonly string[],
    env: readonly string[] = [],
  ): Promise<void> {
    const { args = [], ...container } = nodeIn(whoami(name, port))
    const variables = env.flatMap((text) => ['--env', text])
    await engine.run(name, labelsOf(labels), { ...container, args: [...args, ...variables] })
  }
  await start('whoami', one, [
    'traefik.enable=true',
    `traefik.http.routers.whoami.rule=Host(\`${host}\`)`,
    'traefik.http.routers.whoami.entrypoints=web',
    'traefik.http.middlewares.secure-headers.headers.frameDeny=true',
    'traefik.http.routers.whoami.middlewares=secure-headers',
    'traefik.http.middlewares.service-headers.headers.customRequestHeaders.X-Service-Middleware=applied',
    'traefik.http.services.whoami.middlewares=service-headers',
    `traefik.http.services.whoami.loadbalancer.server.port=${one}`,
    'traefik.http.services.whoami.loadbalancer.sticky.cookie=true',
    'traefik.http.services.whoami.loadbalancer.sticky.cookie.name=sticky_cookie',
  ])
  await start('whoami-api', two, [
    'traefik.enable=true',
    `traefik.http.routers.whoami-api.rule=Host(\`${host}\`) && PathPrefix(\`/api\`)`,
    'traefik.http.routers.whoami-api.middlewares=secure-headers,ip-allowlist',
    'traefik.http.middlewares.ip-allowlist.ipallowlist.sourceRange=192.168.0.0/16,10.0.0.0/8',
    `traefik.http.services.whoami-api.loadbalancer.server.port=${two}`,
  ])
  await start('private', three, [
    'traefik.enable=true',
    `traefik.http.routers.private.rule=Host(\`${host}\`) && Path(\`/private\`)`,
    'traefik.http.routers.private.middlewares=auth',
    'traefik.http.middlewares.auth.basicauth.users=test:test',
    `traefik.http.services.private.loadbalancer.server.port=${three}`,
  ])
  await start(
    'old',
    four,
    [],
    ['VIRTUAL_HOST=old.localhost,*.old.localhost', `VIRTUAL_PORT=${four}`],
  )

  const program = await startProgram(t, {
    workers: 1,
    listeners: { web: { address: '127.0.0.1:0' } },
    sources: { docker: { endpoint: `unix://${engine.socket}`, virtualHost: true } },
  })
  await untilTable(
    program,
    '?kind=server',
    ({ objects }) => objects.length === 5,
    'all servers',
    20_000,
  )
  const ask = async (host: string, path: string): Promise<ReceivedResponse> => {
    const client = await openClient(t, program.port)
    return client.ask(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
  }

  const whole = await ask(host, '/')
  assert.deepEqual([whole.status, whole.body.toString()], [200, 'whoami applied'])
  assert.equal(value(whole, 'x-frame-options'), 'DENY')
  assert.match(value(whole, 'set-cookie') ?? '', /^sticky_cookie=/)
  assert.equal((await ask(host, '/api/x')).status, 403)
  assert.equal((await ask(host, '/private')).status, 503)
  assert.equal((await ask('old.localhost', '/')).body.toString(), 'old ')
  assert.equal((await ask('a.b.old.localhost', '/')).body.toString(), 'old ')
  assert.equal((await ask('other.localhost', '/')).status, 404)
})
