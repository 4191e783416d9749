// Requests take the routes that fabio gives them. Its lookup is written here from its documentation: the most specific host whose
// pattern matches and which has a prefix of the path, the longest prefix first, routes without a host last.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { readCommands } from '../../src/providers/layouts/fabio/command.ts'
import { toObjects } from '../../src/providers/layouts/fabio/objects.ts'
import { RoutingTable } from '../../src/routing/table.ts'
import { openAdmission } from '../support/declared.ts'

const HOSTS = ['', 'a.com', 'b.a.com', '*.a.com', '*.b.a.com', '*.com', 'x*.a.com', 'x1.a.com']
const PATHS = ['/', '/x', '/x/', '/x/y', '/xy', '/x/y/z', '/a-b', '/a%20b']
const SOURCES = HOSTS.flatMap((host) => PATHS.map((path) => host + path))
const ASKED_HOSTS = ['a.com', 'b.a.com', 'c.b.a.com', 'x1.a.com', 'x2.a.com', 'z.com', 'other.org']
const ASKED_PATHS = [...PATHS, '/x/yy', '/q', '/xyz/1', '/x/y/z/1', '/a-bc']

test('each request takes the route that fabio finds for it', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.constantFrom(...SOURCES), { maxLength: 12 }), (sources) => {
      const table = tableOf(sources)

      for (const host of ASKED_HOSTS) {
        for (const path of ASKED_PATHS) {
          assert.equal(find(table, host, path), findAsFabio(sources, host, path), host + path)
        }
      }
    }),
    { numRuns: 200 },
  )
})

test('everything that is made of routes is admitted, also what is closed', () => {
  const text = [
    'route add a a.com/x http://10.0.0.1:80/ weight 0.5 opts "allow=ip:10.0.0.0/8,ip:fe80::/10"',
    'route add b a.com/x http://10.0.0.2:80/ opts "allow=ip:10.0.0.0/8,ip:fe80::/10"',
    'route add a *.b.com/ https://10.0.0.1:443/ opts "tlsskipverify=true host=dst"',
    'route add a x*.[ab].com/ http://10.0.0.1:80/ opts "auth=x"',
    'route add a c.com:80/ https://c.com/ opts "redirect=301"',
    'route add a d.com/ https://d.com$path opts "redirect=302"',
    'route add a e.com/old https://$host/new$path opts "redirect=308"',
    'route add a f.com:8080/ http://[::1]:80/ opts "deny=ip:::1"',
    'route add a {g,h}.com/<v>/ http://i:80/',
  ].join('\n')
  const admission = openAdmission()

  const { setAside } = admission.declare(sectionsOf(text))

  assert.deepEqual(setAside, [])
  assert.equal([...admission.inForce()].filter(({ kind }) => kind === 'frontend').length, 10)
})

function sectionsOf(text: string): Parameters<ReturnType<typeof openAdmission>['declare']>[0] {
  const sections = { frontends: {}, backends: {}, servers: {} } as Record<
    string,
    Record<string, unknown>
  >
  for (const { kind, id, value, fault } of toObjects(readCommands(text, 'config'))) {
    assert.equal(fault, undefined)
    const section = sections[`${kind}s`]
    assert.ok(section !== undefined)
    section[id] = value
  }
  return sections
}

function tableOf(sources: readonly string[]): RoutingTable<string> {
  const table = new RoutingTable<string>()
  for (const source of sources) {
    const [frontend] = toObjects(readCommands(`route add s ${source} http://h:80/`, 'config'))
    const { route } = frontend?.value as { readonly route: string }
    table.upsert(frontend?.id ?? '', route, null, source)
  }
  return table
}

function find(table: RoutingTable<string>, host: string, path: string): string | undefined {
  const rest = { method: 'GET', listener: 'web', query: '', clientIp: '10.0.0.1' }
  return table.match({ host, path, ...rest, fieldHolds: (_name, test) => test('') })
}

function findAsFabio(sources: readonly string[], host: string, path: string): string | undefined {
  const reversed = (text: string): string => [...text].reverse().join('')
  const split = sources.map((source) => {
    const slash = source.indexOf('/')
    return { source, host: source.slice(0, slash), path: source.slice(slash) }
  })
  const hosts = [...new Set(split.map((one) => one.host))].filter(
    (pattern) =>
      pattern !== '' &&
      new RegExp(`^${pattern.replaceAll('.', '\\.').replaceAll('*', '.*')}$`).test(host),
  )
  hosts.sort((one, other) => (reversed(one) < reversed(other) ? 1 : -1))
  for (const pattern of [...hosts, '']) {
    const found = split
      .filter((one) => one.host === pattern && path.startsWith(one.path))
      .sort((one, other) => other.path.length - one.path.length)
    if (found[0] !== undefined) return found[0].source
  }
  return undefined
}
