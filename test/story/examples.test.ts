// Issue: "Every file in config/examples is loaded and driven by a test", and so is config/sluice.yaml.
import assert from 'node:assert/strict'
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { dirname, join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createAuthority, type CertificateAuthority } from '../support/certificates.ts'
import { openClient, openTlsClient, type Answer } from '../support/client.ts'
import { value } from '../support/message.ts'
import { choosePort } from '../support/ports.ts'
import { makeFolder, runProgram, startProgram, type Program } from '../support/program.ts'
import { startServing, type NamedServer } from '../support/servers.ts'

const CONFIG = fileURLToPath(new URL('../../config/', import.meta.url))

/** An example that runs: its listeners and servers on ports of their own, its certificates made for it. */
interface Site {
  readonly program: Program
  readonly authority: CertificateAuthority
  /** The port that stands for the one in the file. */
  port(written: number): number
  get(host: string, path: string, ...lines: readonly string[]): Promise<Answer>
  ask(request: string): Promise<Answer>
}

type Drive = (site: Site, t: TestContext) => Promise<void>

/** What each file promises, asked over the wire. Servers answer with the port that their file gives them. */
const DRIVES: Readonly<Record<string, Drive>> = {
  async 'sluice.yaml'(site) {
    const seen = new Set<string>()
    for (let turn = 0; turn < 6; turn++) seen.add(from(await site.get('vote.localhost', '/')))
    assert.deepEqual([...seen].sort(), ['5001', '5002', '5003'])
    assert.match(from(await site.get('127.0.0.1', '/results?a=b')), /^500[123]$/)
    const refused = await site.get('vote.localhost', '/private/a')
    assert.deepEqual([refused.status, refused.body.toString()], [403, 'Not for you.\n'])
    assert.equal((await site.get('vote.localhost', '/privately')).status, 200)
    const moved = await site.get('old.localhost', '/results?a=b')
    assert.equal(moved.status, 308)
    const to = `http://vote.localhost:${site.port(8080)}/results?a=b`
    assert.equal(value(moved, 'location'), to)
  },

  async 'examples/every-form.yaml'(site, t) {
    const shares: Record<string, number> = { 5001: 0, 5002: 0 }
    for (let turn = 0; turn < 8; turn++) {
      const name = from(await site.get('vote.localhost', '/'))
      shares[name] = (shares[name] ?? 0) + 1
    }
    assert.ok((shares['5002'] ?? 0) > (shares['5001'] ?? 0), JSON.stringify(shares))
    const api = await site.get('vote.localhost', '/api/v1')
    assert.equal(from(api), '5003')
    assert.equal(value(api, 'x-seen-host'), 'vote.localhost')
    assert.equal((await site.get('vote.localhost', '/private')).status, 403)
    const moved = await site.get('old.localhost', '/a')
    assert.equal(value(moved, 'location'), 'https://vote.localhost/a')
    const secure = await overTls(t, site, 'vote.localhost')
    assert.match(from(secure), /^500[12]$/)
  },

  async 'examples/headers.yaml'(site) {
    const answer = await site.get('vote.localhost', '/', 'X-Debug: 1', 'X-Site: forged')
    assert.equal(value(answer, 'x-seen-site'), 'vote')
    assert.equal(value(answer, 'x-seen-debug'), 'none')
    assert.equal(value(answer, 'strict-transport-security'), 'max-age=31536000')
    assert.equal(value(answer, 'vary'), 'Accept-Language')
    assert.equal(value(answer, 'x-powered-by'), null)
  },

  async 'examples/least-connections.yaml'(site) {
    const names = await Promise.all(
      Array.from({ length: TOGETHER }, async () => {
        return from(await site.get('vote.localhost', '/together'))
      }),
    )
    assert.deepEqual(
      names.filter((name) => name === '5001').length,
      6,
      'three of four under way are at the server of weight 3',
    )
  },

  async 'examples/redirect-and-respond.yaml'(site) {
    const moved = await site.get('old.localhost', '/a?b')
    assert.deepEqual([moved.status, value(moved, 'location')], [308, 'https://vote.localhost/a?b'])
    const sale = await site.get('vote.localhost', '/sale')
    assert.deepEqual([sale.status, value(sale, 'location')], [302, '/offers'])
    const robots = await site.get('any.localhost', '/robots.txt')
    assert.equal(robots.body.toString(), 'User-agent: *\nDisallow: /\n')
    assert.equal(value(robots, 'content-type'), 'text/plain')
    const closed = await site.get('vote.localhost', '/x')
    assert.deepEqual([closed.status, value(closed, 'retry-after')], [503, '120'])
    assert.equal(closed.body.toString(), 'Back soon.\n')
    assert.equal((await site.get('other.localhost', '/')).status, 404)
  },

  async 'examples/routes.json'(site) {
    const vote = 'vote.localhost'
    assert.equal(from(await site.get(vote, '/')), '5001')
    assert.equal(from(await site.get(vote, '/api/x')), '5002')
    assert.equal((await site.get(vote, '/version')).body.toString(), '1\n')
    assert.equal(from(await site.get('acme.tenants.localhost', '/')), '5001')
    assert.equal((await site.get('ACME2.tenants.localhost', '/')).status, 404)
    const post = `POST / HTTP/1.1\r\nHost: ${vote}\r\nContent-Length: 0\r\n\r\n`
    assert.equal(from(await site.ask(post)), '5002')
    assert.equal(from(await site.get(vote, '/version', 'X-Beta: yes')), '5002')
  },

  async 'examples/tls.yaml'(site, t) {
    assert.equal(from(await site.get('vote.localhost', '/')), '5001')
    for (const name of ['vote.localhost', 'shop.localhost']) {
      assert.equal(from(await overTls(t, site, name)), '5001')
    }
  },
}

test('every example is driven here', () => {
  const examples = readdirSync(join(CONFIG, 'examples')).map((name) => `examples/${name}`)

  assert.deepEqual(Object.keys(DRIVES).sort(), [...examples, 'sluice.yaml'].sort())
})

for (const [file, drive] of Object.entries(DRIVES)) {
  test(`${file} is good, and answers as it says`, async (t) => {
    const folder = makeFolder(t)
    const path = join(folder, file)
    mkdirSync(dirname(path), { recursive: true })
    copyFileSync(join(CONFIG, file), path)
    const authority = createAuthority(t)
    const text = readFileSync(path, 'utf8')
    placeCertificates(text, dirname(path), authority)

    const [checked, site] = await Promise.all([
      runProgram(t, ['check', path]),
      startSite(t, path, text, authority),
    ])
    assert.match(checked.output, new RegExp(`^${path}: good, \\d+ listeners?, `))
    assert.deepEqual([checked.code, checked.errors], [0, ''])

    await drive(site, t)
  })
}

/** As the comment of the file says: each name.pem and name.key of it, for `<name>.localhost`; a.pem is vote's. */
function placeCertificates(text: string, folder: string, authority: CertificateAuthority): void {
  for (const [, name = ''] of text.matchAll(/cert: (\w+)\.pem/g)) {
    const { cert, key } = authority.issue(`${name === 'a' ? 'vote' : name}.localhost`)
    writeFileSync(join(folder, `${name}.pem`), cert)
    writeFileSync(join(folder, `${name}.key`), key)
  }
}

async function startSite(
  t: TestContext,
  path: string,
  text: string,
  authority: CertificateAuthority,
): Promise<Site> {
  const ports = new Map<number, number>()
  const together: ServerResponse[] = []
  for (const [, digits = ''] of text.matchAll(/:(8080|8443|8182|50\d\d)\b/g)) {
    const written = Number(digits)
    if (ports.has(written)) continue
    const port = await choosePort()
    ports.set(written, port)
    if (written < 6000) await startTelling(t, written, port, together)
  }
  const ownPorts = text.replace(/:(8080|8443|8182|50\d\d)\b/g, (whole, digits: string) => {
    return `:${ports.get(Number(digits)) ?? whole}`
  })
  const program = await startProgram(t, ownPorts, {
    folder: dirname(path),
    file: path.endsWith('.json') ? 'own-ports.json' : 'own-ports.yaml',
    args: ports.has(8182) ? [] : ['--admin-address', '127.0.0.1:0'],
  })
  const ask = async (request: string): Promise<Answer> => {
    return (await openClient(t, program.port)).ask(request)
  }
  return {
    program,
    authority,
    port: (written) => ports.get(written) ?? assert.fail(`${written} is not in the file`),
    ask,
    get: (host, target, ...lines) => ask(getFrom(host, target, ...lines)),
  }
}

/** Requests for /together are answered once so many are under way, at whatever servers of the example. */
const TOGETHER = 8

/** Answers with what it saw. */
function startTelling(
  t: TestContext,
  written: number,
  port: number,
  together: ServerResponse[],
): Promise<NamedServer> {
  return startServing(t, String(written), port, (request, response) => {
    response.setHeader('X-From', String(written))
    response.setHeader('X-Powered-By', 'a test')
    response.setHeader('X-Seen-Host', request.headers.host ?? 'none')
    response.setHeader('X-Seen-Site', request.headers['x-site']?.toString() ?? 'none')
    response.setHeader('X-Seen-Debug', request.headers['x-debug']?.toString() ?? 'none')
    if (request.url !== '/together') response.end('ok')
    else if (together.push(response) === TOGETHER) {
      for (const waiting of together.splice(0)) waiting.end('ok')
    }
  })
}

async function overTls(t: TestContext, site: Site, name: string): Promise<Answer> {
  const client = await openTlsClient(t, site.port(8443), {
    servername: name,
    ca: site.authority.cert,
    ALPNProtocols: ['http/1.1'],
  })
  return client.ask(getFrom(name, '/'))
}

function getFrom(host: string, target: string, ...lines: readonly string[]): string {
  return [`GET ${target} HTTP/1.1`, `Host: ${host}`, ...lines, '', ''].join('\r\n')
}

function from(answer: Answer): string {
  assert.equal(answer.status, 200, answer.head)
  return value(answer, 'x-from') ?? ''
}
