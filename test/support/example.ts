/** The files of config/ as a user runs them, but on ports that are free and with servers that report what they saw. */
import assert from 'node:assert/strict'
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { dirname, join } from 'node:path'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type CertificateAuthority, createAuthority } from './certificates.ts'
import { openClient, openTlsClient, type ReceivedResponse } from './client.ts'
import { value } from './message.ts'
import { choosePort } from './ports.ts'
import { type Program, makeFolder, startProgram } from './program.ts'
import { type NamedServer, startServing } from './servers.ts'
import { eventually } from './until.ts'

const CONFIG = fileURLToPath(new URL('../../config/', import.meta.url))

/** A copy in a folder of its own. */
export interface Example {
  /** As it is in config/. */
  readonly path: string
  readonly text: string
  readonly authority: CertificateAuthority
  /** The port that replaces the one in the file. */
  port(written: number): number
  withOwnPorts(text: string): string
}

/** One that runs. */
export interface Site extends Pick<Example, 'authority' | 'port'> {
  readonly program: Program
  get(host: string, path: string, ...lines: readonly string[]): Promise<ReceivedResponse>
  ask(request: string): Promise<ReceivedResponse>
}

/** Those with sources need a registry, or a folder. */
export function listExamples(): { readonly plain: string[]; readonly withSources: string[] } {
  const folder = join(CONFIG, 'examples')
  // Users make certificates and the like beside them. A folder belongs to the file of its name.
  const files = readdirSync(folder).filter((name) => /\.(?:ya?ml|json)$/.test(name))
  const names = files.map((name) => `examples/${name}`).sort()
  const isPlain = (name: string): boolean => {
    return !/^(?:sources|data):/m.test(readFileSync(join(CONFIG, name), 'utf8'))
  }
  return {
    plain: names.filter(isPlain),
    withSources: names.filter((name) => !isPlain(name)),
  }
}

export function readExample(file: string): string {
  return readFileSync(join(CONFIG, file), 'utf8')
}

/**
 * Its servers run then. `registries`: the ports of those that the test has started, by the usual ones; `more`: ports that
 * are not in the file, because a registry holds them.
 */
export async function placeExample(
  t: TestContext,
  file: string,
  registries: ReadonlyMap<number, number> = new Map(),
  more: readonly number[] = [],
): Promise<Example> {
  const path = join(makeFolder(t), file)
  const folder = path.replace(/yaml$/, 'd')
  mkdirSync(dirname(path), { recursive: true })
  cpSync(join(CONFIG, file), path)
  const source = join(CONFIG, file.replace(/yaml$/, 'd'))
  if (source.endsWith('.d') && existsSync(source)) cpSync(source, folder, { recursive: true })
  const parts = existsSync(folder) && folder !== path ? readdirSync(folder) : []
  const files = [path, ...parts.map((name) => join(folder, name))]
  const text = readFileSync(path, 'utf8')
  const ports = new Map(registries)
  const texts = files.map((one) => readFileSync(one, 'utf8'))
  await startServers(t, [...texts, ...more.map((port) => `:${port}`)].join('\n'), ports)

  const withOwnPorts = (written: string): string =>
    written.replace(/(:|-port=)(\d{4})\b/g, (_, before: string, digits: string) => {
      return `${before}${ports.get(Number(digits)) ?? digits}`
    })
  for (const part of files.slice(1)) {
    writeFileSync(part, withOwnPorts(readFileSync(part, 'utf8')))
  }
  const authority = createAuthority(t)
  placeCertificates(text, dirname(path), authority)
  return {
    path,
    text,
    authority,
    port: (written) => ports.get(written) ?? assert.fail(`${written} is not in the file`),
    withOwnPorts,
  }
}

export async function startExample(
  t: TestContext,
  { path, text, authority, port, withOwnPorts }: Example,
  env: Readonly<Record<string, string>> = {},
): Promise<Site> {
  const program = await startProgram(t, withOwnPorts(text), {
    folder: dirname(path),
    file: path.endsWith('.json') ? 'own-ports.json' : 'own-ports.yaml',
    args: text.includes(':8182') ? [] : ['--admin-address', '127.0.0.1:0'],
    env: { ...(/^data:/m.test(text) ? {} : { SLUICE_DATA: makeFolder(t) }), ...env },
  })
  const ask = async (request: string): Promise<ReceivedResponse> => {
    return (await openClient(t, program.port)).ask(request)
  }
  return {
    program,
    authority,
    port,
    ask,
    get: (host, target, ...lines) => ask(getFrom(host, target, ...lines)),
  }
}

/** Each of 5001, 5002 ... is a server, every other port is Sluice's. */
async function startServers(
  t: TestContext,
  text: string,
  ports: Map<number, number>,
): Promise<void> {
  const together: ServerResponse[] = []
  for (const [, digits = ''] of text.matchAll(/:(8080|8443|8182|3213|3214|50\d\d)\b/g)) {
    const written = Number(digits)
    if (ports.has(written)) continue
    const port = await choosePort()
    ports.set(written, port)
    if (digits.startsWith('50')) await startTelling(t, written, port, together)
  }
}

/** As the comment of the file says: each name.pem and name.key of it, for `<name>.localhost`; a.pem is vote's. */
function placeCertificates(text: string, folder: string, authority: CertificateAuthority): void {
  for (const [, name = ''] of text.matchAll(/^[^#\n]*cert: (\w+)\.pem/gm)) {
    const { cert, key } = authority.issue(`${name === 'a' ? 'vote' : name}.localhost`)
    writeFileSync(join(folder, `${name}.pem`), cert)
    writeFileSync(join(folder, `${name}.key`), key)
  }
}

/** Requests for /together are answered once so many are under way, at whatever servers of the example. */
export const TOGETHER = 8

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
    response.setHeader('X-Seen-Path', request.url ?? 'none')
    response.setHeader('X-Seen-Debug', request.headers['x-debug']?.toString() ?? 'none')
    if (request.url !== '/together') response.end('ok')
    else if (together.push(response) === TOGETHER) {
      for (const waiting of together.splice(0)) waiting.end('ok')
    }
  })
}

/** On the port that replaces 8443. */
export async function overTls(
  t: TestContext,
  site: Site,
  name: string,
  path = '/',
): Promise<ReceivedResponse> {
  const client = await openTlsClient(t, site.port(8443), {
    servername: name,
    ca: site.authority.cert,
    ALPNProtocols: ['http/1.1'],
  })
  return client.ask(getFrom(name, path))
}

function getFrom(host: string, target: string, ...lines: readonly string[]): string {
  return [`GET ${target} HTTP/1.1`, `Host: ${host}`, ...lines, '', ''].join('\r\n')
}

/** The server that answered, by its port in the file. */
export function from(response: ReceivedResponse): string {
  assert.equal(response.status, 200, response.head)
  return value(response, 'x-from') ?? ''
}

/** Several requests are answered by these servers, and by no other: now, or as soon as the last change is in force. */
export async function untilFrom(site: Site, host: string, ports: readonly string[]): Promise<void> {
  const expected = ports.join(' and ')
  await eventually(async () => {
    const seen = new Set<string>()
    for (let turn = 0; turn < 8; turn++) {
      const response = await site.get(host, '/')
      seen.add(value(response, 'x-from') ?? String(response.status))
    }
    return [...seen].sort().join(' and ') === expected
  }, `${host} is served by ${expected}`)
}
