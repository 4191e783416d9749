// Issue 11: `sluice check --from` prints what maps, what differs and what is not there, a line each. The compose files are written
// as the documentation of Traefik and nginx-proxy has them.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { checkFrom } from '../../src/cli/from/check-from.ts'
import { openFrom } from '../../src/process/check-from.ts'
import { blocksOf, readPage } from '../support/docs.ts'
import { startFakeDocker } from '../support/fake-docker.ts'

interface Printed {
  readonly lines: readonly string[]
  readonly code: number
}

async function check(from: string, config: string | null = null, columns = 0): Promise<Printed> {
  const lines: string[] = []
  const print = (line: string): void => void lines.push(line)
  const code = await checkFrom(from, openFrom(config, print, columns === 0 ? null : columns))
  return { lines, code }
}

/** The folder is the name of the project. */
function write(t: TestContext, name: string, text: string): string {
  const parent = mkdtempSync(join(tmpdir(), 'sluice-from-'))
  t.after(() => rmSync(parent, { recursive: true }))
  const folder = join(parent, 'demo')
  mkdirSync(folder)
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}

const TRAEFIK = `
services:
  traefik:
    image: "traefik:v3.7"
    command:
      - "--providers.docker=true"
      - "--providers.docker.exposedbydefault=false"
    ports:
      - "80:80"
      - "443:443"
    labels:
      - "traefik.enable=true"
      - "traefik.http.routers.dashboard.rule=Host(\`dashboard.docker.localhost\`)"
      - "traefik.http.routers.dashboard.entrypoints=websecure"
      - "traefik.http.routers.dashboard.service=api@internal"
      - "traefik.http.routers.dashboard.tls=true"

  whoami:
    image: "traefik/whoami"
    labels:
      - "traefik.enable=true"
      - "traefik.http.routers.whoami.rule=Host(\`whoami.docker.localhost\`)"
      - "traefik.http.routers.whoami.entrypoints=web"

  whoami-api:
    image: "traefik/whoami"
    expose: [80]
    labels:
      - "traefik.enable=true"
      - "traefik.http.routers.whoami-api.rule=Host(\`whoami.docker.localhost\`) && PathPrefix(\`/api\`)"
      - "traefik.http.routers.whoami-api.entrypoints=web"
      - "traefik.http.middlewares.test-auth.basicauth.users=test:$$apr1$$H6uskkkW$$IgXLP6ewTrSuBkTrqE8wj/"
      - "traefik.http.routers.whoami-api.middlewares=test-auth"
`

test('a compose file of Traefik is a table of what maps, what differs and what is not there', async (t) => {
  const file = write(t, 'docker-compose.yml', TRAEFIK)

  const { lines, code } = await check(file)

  assert.deepEqual(lines, [
    'differs    service traefik     frontend dashboard: tls is not honoured: a listener has its protocol and certificates',
    'not there  service traefik     frontend dashboard: is closed, requests get 503: service "api@internal" is a part of Traefik itself',
    'maps       service traefik     server traefik-demo/demo-traefik-1: http://traefik:80',
    'maps       service whoami      frontend whoami: Listener("web") && Host(`whoami.docker.localhost`) to backend whoami-demo',
    'note       service whoami      server whoami-demo/demo-whoami-1: its port is the one that the image exposes',
    'not there  service whoami-api  frontend whoami-api: is closed, requests get 503: middleware "test-auth": "basicauth" is not supported yet',
    'maps       service whoami-api  server whoami-api-demo/demo-whoami-api-1: http://whoami-api:80',
    'note       listener web        routes name it, so the configuration needs a listener with this id',
    'note       listener websecure  routes name it, so the configuration needs a listener with this id',
    `${file}: 3 map, 1 differs, 2 not there, 3 notes`,
  ])
  assert.equal(code, 1)
})

test('a server whose port the image exposes is a server of its backend, also beside a configuration', async (t) => {
  const file = write(t, 'docker-compose.yml', TRAEFIK)
  const listeners = '{ web: { address: ":80" }, websecure: { address: ":443" } }'
  const config = write(t, 'sluice.yaml', `listeners: ${listeners}\nsources: { docker: {} }\n`)

  const { lines } = await check(file, config)

  assert.deepEqual(
    lines.filter((line) => /^note {7}service whoami /.test(line)),
    [
      'note       service whoami      server whoami-demo/demo-whoami-1: its port is the one that the image exposes',
    ],
  )
})

test('a backend whose only server is set aside is said to have none, also without a configuration', async (t) => {
  const labels = '{ sluice.enable: true, sluice.host: a.example, sluice.port: http }'
  const file = write(t, 'compose.yaml', `services: { a: { image: x, labels: ${labels} } }\n`)

  const { lines } = await check(file)

  assert.deepEqual(lines, [
    'maps       service a  frontend a-demo: Host("a.example") to backend a-demo',
    'note       service a  backend a-demo: has no servers: its requests get 503',
    'not there  service a  server a-demo/demo-a-1: label sluice.port must be a port from 1 to 65535, not "http"',
    `${file}: 1 maps, 1 not there, 1 note`,
  ])
})

test('in a terminal of 100 columns no line is wider', async (t) => {
  const { lines } = await check(write(t, 'docker-compose.yml', TRAEFIK), null, 100)

  const table = lines.slice(0, -1)
  assert.ok(table.length > 10)
  assert.deepEqual(
    table.filter((line) => line.length > 100),
    [],
  )
  assert.ok(
    table.some((line) => /^ {31}\S/.test(line)),
    table.join('\n'),
  )
})

test('a compose file of nginx-proxy, with variables, ports and labels in every form', async (t) => {
  const file = write(
    t,
    'compose.yaml',
    `
name: site
services:
  myapp:
    image: jwilder/whoami
    expose: ["8000"]
    environment: { VIRTUAL_HOST: "\${SUB:-myapp}.\${DOMAIN}", VIRTUAL_PORT: "8000" }
  blog:
    image: ghost
    ports: ["127.0.0.1:8080:2368/tcp", "53:53/udp", { target: 2369, published: 1 }]
    environment: [VIRTUAL_HOST=blog.example, "VIRTUAL_PORT=\${PORT:?needed}"]
  task:
    image: x
    labels: { sluice.enable: true, sluice.host: task.example, sluice.port: 80 }
    deploy: { labels: ["traefik.enable=true", "traefik.http.services.t.loadbalancer.server.port=81"] }
  plain: { image: y }
`,
  )
  writeFileSync(join(file, '../.env'), '# of the site\nDOMAIN="example.org"\n')

  const { lines, code } = await check(file)

  assert.deepEqual(lines.slice(0, -1), [
    'maps       service blog           frontend blog.example: Host("blog.example") to backend blog.example',
    'maps       service blog           server blog.example/site-blog-1: http://blog:80',
    'maps       service myapp          frontend myapp.example.org: Host("myapp.example.org") to backend myapp.example.org',
    'maps       service myapp          server myapp.example.org/site-myapp-1: http://myapp:8000',
    'maps       service task           frontend task-site: Host("task.example") to backend task-site',
    'maps       service task           server task-site/site-task-1: http://task:80',
    'maps       service task (deploy)  frontend task-site: Host(`task-site`) to backend t',
    'maps       service task (deploy)  server t/site_task.1: http://task:81',
    'note       variable PORT          is not set, so that it is empty here',
  ])
  assert.equal(code, 0)
})

test('a compose file is read with the label options of the sources in the configuration', async (t) => {
  const file = write(
    t,
    'compose.yaml',
    `
services:
  whoami:
    image: traefik/whoami
    expose: [80]
    labels: ["traefik.http.routers.whoami.rule=Host(\`whoami.docker.localhost\`)"]
`,
  )
  const config = write(
    t,
    'sluice.yaml',
    'listeners: { web: { address: ":80" } }\nsources: { box: { kind: docker, exposedByDefault: true } }\n',
  )

  const without = await check(file)
  const configured = await check(file, config)

  assert.deepEqual(without.lines, [
    'note       service whoami  has "traefik.http.routers.whoami.rule", but no traefik.enable: true, so that nothing of it is read (exposedByDefault is false)',
    `${file}: 1 note`,
  ])
  assert.deepEqual(configured.lines, [
    'maps       service whoami  frontend whoami: Host(`whoami.docker.localhost`) to backend whoami-demo',
    'maps       service whoami  server whoami-demo/demo-whoami-1: http://whoami:80',
    `${file}: 2 map`,
  ])
})

test('a dynamic configuration of Traefik, with the keys of its objects', async (t) => {
  const file = write(
    t,
    'dynamic.yaml',
    `
http:
  routers:
    shop: { rule: Host(\`shop.example\`), entryPoints: [web], service: shop, middlewares: [limit] }
    all: { rule: PathPrefix(\`/\`), service: both, tls: {} }
  middlewares:
    limit: { rateLimit: { average: 10, burst: 2 } }
  services:
    shop: { loadBalancer: { servers: [{ url: "http://10.0.0.1:80/" }], healthCheck: { path: /up } } }
    both: { weighted: { services: [{ name: shop, weight: 1 }] } }
  serversTransports: { t: { insecureSkipVerify: true } }
tcp: { routers: { db: { rule: HostSNI(\`*\`), service: db } } }
`,
  )
  const config = write(
    t,
    'sluice.yaml',
    'listeners: { web: { address: ":80" } }\nsources: { store: {} }\n',
  )

  const { lines } = await check(file, config)

  assert.deepEqual(lines, [
    'not there  http/routers/all                  frontend all: is closed, requests get 503: backend: "both" is set aside itself',
    'differs    http/routers/all                  frontend all: tls is not honoured: a listener has its protocol and certificates',
    'maps       http/routers/shop                 frontend shop: Listener("web") && Host(`shop.example`) to backend shop, with ratelimit',
    'differs    http/serversTransports/t          is not read',
    'not there  http/services/both                backend both: "weighted" is not supported yet',
    'maps       http/services/shop                backend shop: health',
    'maps       http/services/shop/loadBalancer/servers/0  server shop/0: http://10.0.0.1:80, weight 1',
    'maps       tcp/routers/db                    frontend tcp:db: HostSNI(`*`) to backend tcp:db, with protocol',
    'differs    tcp/routers/db                    frontend tcp:db: route: is served by no listener: it needs one with protocol tcp and no backend, or with protocol https, whose connections a route without a name takes only if it has Listener("id")',
    `${file}: 4 map, 3 differ, 2 not there`,
  ])
})

test('documents in the form of the file, whose backends have their servers inside', async (t) => {
  const config = write(
    t,
    'sluice.yaml',
    'listeners: { web: { address: ":80" } }\nsources: { teams: { kind: files, directory: teams } }\n',
  )
  mkdirSync(join(config, '../teams'))
  writeFileSync(
    join(config, '../teams/vote.yaml'),
    `backends:
  vote: { servers: { v1: http://10.0.0.1, v2: http://10.0.0.2 }, balance: random }
  old: { servers: { v1: http://10.0.0.3 } }
frontends:
  vote: { route: Host("vote.localhost"), backend: vote }
`,
  )

  const { lines, code } = await check('teams', config)

  const texts = lines.map((line) => line.replace(/^(\S+)\s+\S+:\d+\s+/, '$1 '))
  assert.deepEqual(texts, [
    'maps backend old: 1 server',
    'note backend old: is not used: no frontend or listener names it',
    'maps backend vote: 2 servers, balance',
    'maps frontend vote: Host("vote.localhost") to backend vote',
    'teams: 3 map, 1 note',
  ])
  assert.equal(code, 0)
})

test('routes of fabio, with the lines of its commands', async (t) => {
  const file = write(
    t,
    'routes.txt',
    `route add vote vote.localhost/ http://127.0.0.1:5001/ weight 0.75
route add vote vote.localhost/ http://127.0.0.1:5002/ weight 0.25
route add old old.localhost/ https://vote.localhost$path opts "redirect=301"
route add api api.localhost/v1 http://127.0.0.1:5003/ opts "strip=/v1"
`,
  )

  const { lines, code } = await check(file)

  assert.deepEqual(lines, [
    'maps       routes.txt:1  frontend vote.localhost: Host("vote.localhost") to backend vote.localhost',
    'maps       routes.txt:1  server vote.localhost/vote-127.0.0.1:5001: http://127.0.0.1:5001, weight 3',
    'maps       routes.txt:2  server vote.localhost/vote-127.0.0.1:5002: http://127.0.0.1:5002',
    'maps       routes.txt:3  frontend old.localhost: Host("old.localhost") redirects',
    'not there  routes.txt:4  frontend api.localhost:v1: is closed, requests get 503: strip=/v1: paths cannot be changed',
    `${file}: 4 map, 1 not there`,
  ])
  assert.equal(code, 1)
})

test('live containers, with the options of the source in the configuration', async (t) => {
  const engine = await startFakeDocker(t)
  const container = (id: string, name: string, labels: Record<string, string>): void => {
    engine.containers.set(id, {
      ...{ Id: id, Names: [`/${name}`], State: 'running', Status: 'Up 2 hours', Created: 1 },
      Labels: labels,
      NetworkSettings: { Networks: { bridge: { IPAddress: '127.0.0.1' } } },
      Ports: [{ PrivatePort: 9, Type: 'tcp' }],
    })
  }
  container('a'.repeat(64), 'shop-1', { 'sluice.enable': 'true', 'sluice.host': 'shop.example' })
  container('b'.repeat(64), 'blog-1', { 'sluice.host': 'blog.example', 'sluice.enable': 'yes' })
  const config = write(
    t,
    'sluice.yaml',
    `listeners: { web: { address: ':80' } }\nsources: { box: { kind: docker, endpoint: '${engine.endpoint}' } }\n`,
  )

  const byKind = await check('docker', config)
  const byName = await check('box', config)

  assert.deepEqual(byKind.lines.slice(0, -1), [
    'not there  container blog-1  label "sluice.enable" must be true or false, not "yes"; nothing of it is read',
    'maps       container shop-1  frontend shop-1: Host("shop.example") to backend shop-1',
    // Nothing accepts connections there.
    'note       container shop-1  backend shop-1: has no servers: its requests get 503',
  ])
  assert.deepEqual(byName.lines.slice(0, -1), byKind.lines.slice(0, -1))
})

const COMPOSE_PAGES = [
  'docs/sources/labels.md',
  'docs/sources/docker.md',
  'docs/migrating/traefik.md',
  'docs/migrating/nginx-proxy.md',
]

for (const page of COMPOSE_PAGES) {
  test(`the compose files of ${page} map`, async (t) => {
    const blocks = blocksOf(readPage(page), 'yaml compose.yaml')
    const permits =
      'listeners: { web: { address: ":80" } }\nsources: { docker: { listen: 127.0.0.1 } }\n'
    const config = write(t, 'sluice.yaml', permits)

    assert.ok(blocks.length > 0)
    for (const block of blocks) {
      const { lines, code } = await check(write(t, 'compose.yaml', block), config)
      assert.equal(code, 0, lines.join('\n'))
    }
  })
}

test('the table of docs/migrating/nginx-proxy.md is what is printed', async (t) => {
  const page = readPage('docs/migrating/nginx-proxy.md')
  const [block = ''] = blocksOf(page, 'yaml compose.yaml')

  const { lines } = await check(write(t, 'compose.yaml', block))

  const shown = page.split('\n').filter((line) => line.startsWith('    maps '))
  const printed = lines.filter((line) => line.startsWith('maps') && !line.includes('@refused'))
  assert.equal(shown.length, 4)
  for (const [at, line] of shown.entries()) {
    assert.ok(printed[at]?.startsWith(line.trim().replace(/ \.\.\.$/, '')), line)
  }
})

test('a source that the configuration gets wrong is not read with the defaults of its kind', async (t) => {
  const config = write(
    t,
    'sluice.yaml',
    "sources: { consul: { endpoints: [10.0.0.1:8500], tokn: 'x' } }\n",
  )
  const compose = write(t, 'compose.yaml', 'services: { web: { image: x } }\n')

  const ofSource = await check('consul', config)
  const ofFile = await check(compose, config)

  assert.equal(ofSource.code, 1)
  assert.match(
    ofSource.lines.join('\n'),
    /^consul: \S+sluice\.yaml: sources\.consul: unknown key "tokn"/,
  )
  assert.match(ofFile.lines.join('\n'), /compose\.yaml: \S+sluice\.yaml: sources\.consul: /)
})

test('what cannot be read is printed in one line', async (t) => {
  const said = async (from: string, config: string | null = null): Promise<string> => {
    const { lines, code } = await check(from, config)
    assert.equal(code, 1)
    return lines.join('\n')
  }
  const empty = write(t, 'a.yaml', '{}')
  const wrong = write(t, 'b.yaml', 'a: [')
  const other = write(t, 'c.yaml', 'a: 1\nb: 2\n')

  assert.match(await said('dockr'), /^dockr: there is no such file, and it is no kind of source: /)
  assert.match(
    await said('etcd'),
    /endpoints.*name a file with the source: sluice check --from etcd/,
  )
  assert.match(
    await said(empty),
    /is neither a compose file, nor .* of Traefik.*; it has nothing in it$/,
  )
  assert.match(await said(wrong), /is not valid YAML: .*\(line 1, column/)
  assert.match(await said(other), /; it has "a", "b"$/)
  assert.match(
    await said('docker', join(empty, '../none.yaml')),
    /none\.yaml: there is no such file/,
  )
})
