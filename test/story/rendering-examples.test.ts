// needs: haproxy, nginx, etcd
// Issue 15: "An HAProxy and an nginx configuration as shipped examples, checked with the real programs' -c/-t", byte for byte.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { cpSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { startEtcd } from '../support/etcd.ts'
import { choosePort } from '../support/ports.ts'
import { makeFolder, runProgram, spawnProgram, startProgram } from '../support/program.ts'
import { startServing } from '../support/servers.ts'
import { eventually } from '../support/until.ts'

const EXAMPLES = fileURLToPath(new URL('../../examples/rendering/', import.meta.url))

/** A copy whose files are written into the folder, whose reloads are counted there, and whose ports are free. */
async function placeExample(
  t: TestContext,
): Promise<{ folder: string; ports: ReadonlyMap<string, number> }> {
  const folder = makeFolder(t)
  cpSync(EXAMPLES, folder, { recursive: true })
  const ports = new Map<string, number>()
  for (const written of ['8080', '8081', '8082', '5001', '5002', '5003', '5004']) {
    ports.set(written, await choosePort())
  }
  for (const path of [
    ...['sluice.yaml', 'haproxy.cfg.tmpl', 'nginx.conf.tmpl'],
    ...['haproxy', 'nginx'].map((name) => `confd/conf.d/${name}.toml`),
    ...['haproxy.cfg', 'nginx.conf'].map((name) => `confd/templates/${name}.tmpl`),
  ]) {
    const text = readFileSync(join(folder, path), 'utf8')
      .replace(/systemctl reload (\w+)/g, `echo $1 >> ${folder}/reloads`)
      .replace(/\/etc\/(?:haproxy|nginx)\//g, `${folder}/`)
      .replace(/(?<=127\.0\.0\.1:)\d{4}/g, (port) => String(ports.get(port) ?? port))
    writeFileSync(join(folder, path), text)
  }
  return { folder, ports }
}

function accept(folder: string): void {
  execFileSync('haproxy', ['-c', '-q', '-f', join(folder, 'haproxy.cfg')])
  execFileSync('nginx', ['-t', '-q', '-e', 'stderr', '-c', join(folder, 'nginx.conf')])
}

function read(folder: string, name: string): string | null {
  try {
    return readFileSync(join(folder, name), 'utf8')
  } catch {
    return null
  }
}

test('an HAProxy and an nginx are configured as the table and the states of its servers are', async (t) => {
  const { folder, ports } = await placeExample(t)
  const at = (written: string): string => `127.0.0.1:${ports.get(written)}`
  const healthy = await startServing(t, 'v1', ports.get('5001') ?? 0, (_request, response) => {
    response.end('ok')
  })
  const settings = "data: data\nworkers: 0\nadmin: { address: '127.0.0.1:0' }\n"
  const program = await startProgram(
    t,
    settings + readFileSync(join(folder, 'sluice.yaml'), 'utf8'),
    {
      folder,
      file: 'sluice.yaml',
    },
  )
  assert.ok(healthy)

  await eventually(
    () => read(folder, 'haproxy.cfg')?.includes(`v2 ${at('5002')} weight 2 disabled`),
    'the server that fails its probes is disabled',
  ).catch((error: unknown) => assert.fail(`${String(error)}\n${program.output()}`))
  await eventually(
    () => read(folder, 'nginx.conf')?.includes(at('5002')) === false,
    'it leaves the upstream of nginx',
  )

  assert.equal(
    read(folder, 'haproxy.cfg'),
    `# Rendered by Sluice: do not edit.
global
    maxconn 1000

defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s

frontend web
    bind ${at('8081')}
    use_backend result if { req.hdr(host),field(1,:) -i result.localhost }
    use_backend vote if { req.hdr(host),field(1,:) -i vote.localhost }

backend result
    balance leastconn
    server r1 ${at('5003')} weight 1
    server r2 ${at('5004')} weight 1 backup

backend vote
    balance roundrobin
    server v1 ${at('5001')} weight 1
    server v2 ${at('5002')} weight 2 disabled
`,
  )
  assert.equal(
    read(folder, 'nginx.conf'),
    `# Rendered by Sluice: do not edit.
events {}

http {
    upstream result {
        least_conn;
        server ${at('5003')} weight=1;
        server ${at('5004')} weight=1 backup;
    }
    upstream vote {
        server ${at('5001')} weight=1;
    }
    server {
        listen ${at('8082')};
        server_name result.localhost;
        location / {
            proxy_pass http://result;
            proxy_set_header Host $host;
        }
    }
    server {
        listen ${at('8082')};
        server_name vote.localhost;
        location / {
            proxy_pass http://vote;
            proxy_set_header Host $host;
        }
    }
}
`,
  )
  accept(folder)

  const printed = await runProgram(t, [
    ...['render', '--template', join(folder, 'haproxy.cfg.tmpl')],
    ...['--admin-address', `127.0.0.1:${program.admin}`],
  ])
  assert.equal(printed.output, read(folder, 'haproxy.cfg'))
})

test("confd's folders are rendered from etcd, and a change writes and reloads only what differs", async (t) => {
  const { folder, ports } = await placeExample(t)
  const at = (written: string): string => `127.0.0.1:${ports.get(written)}`
  const etcd = await startEtcd(t)
  await etcd.put('/sites/vote/host', 'vote.localhost')
  await etcd.put('/sites/vote/servers/v1', '127.0.0.1:5001')
  await etcd.put('/sites/vote/servers/v2', '127.0.0.1:5002')
  await etcd.put('/sites/empty/host', 'empty.localhost')
  const words = [
    '--confdir',
    join(folder, 'confd'),
    '--backend',
    'etcd',
    '--node',
    `http://${etcd.endpoint}`,
  ]

  const noop = await runProgram(t, ['render', '-onetime', '-noop', ...words])
  assert.equal(noop.code, 0, noop.errors)
  assert.equal(read(folder, 'haproxy.cfg'), null)
  assert.match(noop.errors, /haproxy\.cfg would be written \(noop\): it does not exist/)

  const once = await runProgram(t, ['render', '--onetime', ...words])
  assert.equal(once.code, 0, once.errors)
  assert.equal(read(folder, 'reloads'), 'haproxy\nnginx\n')
  assert.equal(
    read(folder, 'haproxy.cfg'),
    `# Rendered by Sluice: do not edit.
global
    maxconn 1000

defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s

frontend web
    bind ${at('8081')}
    use_backend empty if { req.hdr(host),field(1,:) -i empty.localhost }
    use_backend vote if { req.hdr(host),field(1,:) -i vote.localhost }

backend empty
    balance roundrobin

backend vote
    balance roundrobin
    server v1 127.0.0.1:5001
    server v2 127.0.0.1:5002
`,
  )
  accept(folder)

  const { ino } = statSync(join(folder, 'haproxy.cfg'))
  const watching = spawnProgram(t, ['render', '-watch', ...words])
  await etcd.put('/nginx/worker_processes', '2')
  await eventually(
    () => read(folder, 'nginx.conf')?.includes('worker_processes 2;'),
    'the change is rendered',
  ).catch((error: unknown) => assert.fail(`${String(error)}\n${watching.output()}`))
  await eventually(() => read(folder, 'reloads') === 'haproxy\nnginx\nnginx\n', 'nginx is reloaded')
  assert.equal(statSync(join(folder, 'haproxy.cfg')).ino, ino)

  await etcd.put('/nginx/worker_processes', 'many')
  await etcd.put('/sites/vote/servers/v3', '127.0.0.1:5003')
  await eventually(
    () => read(folder, 'haproxy.cfg')?.includes('server v3 '),
    'the other file goes on',
  )
  assert.match(read(folder, 'nginx.conf') ?? '', /worker_processes 2;/)
  accept(folder)
  watching.signal('SIGTERM')
  const { code, errors } = await watching.ended()
  assert.equal(code, 0)
  assert.match(
    errors,
    /error: template nginx fails: check exited with 1: .*worker_processes.*; nginx\.conf stays as it was/,
  )
  assert.deepEqual(read(folder, 'reloads'), 'haproxy\nnginx\nnginx\nhaproxy\n')
})
