// `sluice check` beyond objects that are set aside: objects in force that are probably mistakes.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { checkDocument } from '../../src/control/review/check-document.ts'
import { createCertificateExpiry } from '../../src/control/review/certificate-expiry.ts'
import { parseDocument } from '../../src/document/document.ts'
import type { InForce } from '../../src/control/admission/admit.ts'
import { createAuthority } from '../support/certificates.ts'
import { openAdmission } from '../support/declared.ts'

const SITE = {
  listeners: { web: { address: ':8080' } },
  backends: { b: { servers: { s: 'http://10.0.0.1:80' } } },
}

/** Each diagnostic as `line level kind id: message`; the file has a key a line. */
function diagnosticsOf(sections: object): readonly string[] {
  const text = JSON.stringify(sections, null, 1)
  const document = parseDocument(text, 'site.json')
  assert.ok(document.readable)
  assert.deepEqual(document.problems, [])
  return checkDocument('site.json', document).map(
    ({ line, level, kind, id, message }) =>
      `${textAt(text, line)} ${level} ${kind} ${id}: ${message}`,
  )
}

function textAt(text: string, line = 0): string {
  return (text.split('\n')[line - 1] ?? '').trim().replace(/,$/, '')
}

test('a file without mistakes has no diagnostics', () => {
  const frontends = {
    api: { route: 'Host("a.example") && PathPrefix("/api")', backend: 'b' },
    web: { route: 'Host("a.example")', backend: 'b' },
    other: { route: 'Host("*.example")', backend: 'b', redirect: { scheme: 'https' } },
    moved: { route: 'Path("/old")', redirect: { to: 'https://{host}/new?{query}' } },
    json: { route: 'Path("/json")', respond: { status: 200, body: '{"price":"5$","of":{}}' } },
  }

  assert.deepEqual(diagnosticsOf({ ...SITE, frontends }), [])
})

test('reports a listener that believes the PROXY header of every peer', () => {
  const proxyProtocol = { trusted: ['10.0.0.1', '0.0.0.0/0'] }
  const listeners = { web: { address: ':8080', proxyProtocol } }
  const frontends = { f: { route: 'Host("a.example")', backend: 'b' } }

  const found = diagnosticsOf({ ...SITE, listeners, frontends })

  assert.deepEqual(found, [
    '"0.0.0.0/0" warning listener web: proxyProtocol.trusted.1: 0.0.0.0/0 is every address: any client may claim any other, and clients without a PROXY header are closed; name the load balancers',
  ])
})

test('reports two equivalent routes, and which of them takes the requests', () => {
  const route = 'Host("a.example") && Path("/x")'
  const other = 'Path(`/x`) && Host("A.example.")'
  const frontends = {
    one: { route, backend: 'b' },
    two: { route: other, backend: 'b' },
    raised: { route, backend: 'b', priority: 5 },
  }

  const found = diagnosticsOf({ ...SITE, frontends })

  assert.deepEqual(found, [
    '"route": "Host(\\"a.example\\") && Path(\\"/x\\")" warning frontend one: route: says the same as that of frontend "raised", which takes all of its requests, by priority 5 over 0',
    '"route": "Path(`/x`) && Host(\\"A.example.\\")" warning frontend two: route: says the same as that of frontend "raised", which takes all of its requests, by priority 5 over 0',
  ])
  const { raised: _, ...equals } = frontends
  assert.match(diagnosticsOf({ ...SITE, frontends: equals })[0] ?? '', /frontend two: .* by its id/)
})

test('reports a route that others shadow, with the others and why they go first', () => {
  const frontends = {
    maintenance: { route: 'PathPrefix("/")', respond: { status: 503 }, priority: 100 },
    api: { route: 'PathPrefix("/api")', backend: 'b', priority: 1 },
    methods: { route: 'Method("GET")', backend: 'b' },
  }

  assert.deepEqual(diagnosticsOf({ ...SITE, frontends }), [
    '"route": "PathPrefix(\\"/api\\")" warning frontend api: route: is never reached: frontend "maintenance" takes all of its requests first, by priority 100 over 1',
  ])
})

test('reports a route that names a listener which is not declared', () => {
  const frontends = { f: { route: 'Listener("web") || !Listener("wbe")', backend: 'b' } }

  assert.match(
    diagnosticsOf({ ...SITE, frontends })[0] ?? '',
    /names the listener "wbe", which is not/,
  )
})

test('a backend that a listener names is used, and routes of that listener are never reached', () => {
  const listeners = { web: { address: ':1' }, orders: { address: ':2', backend: 'b' } }
  const { backends } = SITE
  const frontends = { f: { route: 'Listener("orders")', respond: { status: 200 } } }

  assert.deepEqual(diagnosticsOf({ listeners, backends, frontends }), [
    '"route": "Listener(\\"orders\\")" warning frontend f: route: names the listener "orders", which sends everything to its backend "b"',
  ])
})

const SENT: readonly (readonly [frontend: object, template: string, path: string])[] = [
  [{ respond: { status: 200, body: 'This is {{ .Host }}' } }, '{{ .Host }}', 'respond.body'],
  [{ respond: { status: 200, fields: { 'X-Host': '$host' } } }, '$host', 'respond.fields.X-Host'],
  [
    { backend: 'b', headers: { request: { set: { 'X-Real': '$remote_addr' } } } },
    '$remote_addr',
    'headers.request.set.X-Real',
  ],
  [
    { backend: 'b', headers: { request: { set: { 'X-Real': '%{client.ip}' } } } },
    '%{client.ip}',
    'headers.request.set.X-Real',
  ],
  [
    { backend: 'b', headers: { response: { add: { 'X-A': '%[src]' } } } },
    '%[src]',
    'headers.response.add.X-A',
  ],
  [
    { backend: 'b', middlewares: [{ kind: 'headers', request: { set: { 'X-A': '{host}' } } }] },
    '{host}',
    'middlewares.0.request.set.X-A',
  ],
  [
    { backend: 'b', headers: { request: { set: { 'X-A': '%REQ(:authority)%' } } } },
    '%REQ(:authority)%',
    'headers.request.set.X-A',
  ],
  [{ redirect: { to: 'https://a.example/x$request_uri' } }, '$request_uri', 'redirect.to'],
]

for (const [frontend, template, path] of SENT) {
  test(`${template} in ${path} is told as a text that is sent as it is`, () => {
    const frontends = {
      f: { route: 'Path("/x")', ...frontend },
      g: { route: 'Path("/y")', backend: 'b' },
    }
    const [found = '', ...more] = diagnosticsOf({ ...SITE, frontends })

    assert.ok(found.includes(`warning frontend f: ${path}: "${template}" is sent as it is`), found)
    assert.deepEqual(more, [])
  })
}

test('reports a template in what is sent to servers and hooks', () => {
  const onTripped = { url: 'http://10.0.0.2/', body: 'tripped {{ .Name }}' }
  const backends = {
    b: {
      servers: { s: 'http://10.0.0.1:80' },
      health: { path: '/health?of={host}' },
      breaker: { condition: 'NetworkErrorRatio() > 0.5', onTripped },
    },
  }
  const frontends = { f: { route: 'Path("/x")', backend: 'b' } }

  const found = diagnosticsOf({ ...SITE, backends, frontends })

  assert.deepEqual(
    found.map((line) => /warning backend b: ([\w.]+): ("[^"]*")/.exec(line)?.slice(1).join(' ')),
    ['health.path "{host}"', 'breaker.onTripped.body "{{ .Name }}"'],
  )
})

test('what nothing needs is a hint', () => {
  const backends = {
    ...SITE.backends,
    spare: { servers: { s: 'http://10.0.0.2:80' } },
    fallback: { servers: { s: 'http://10.0.0.3:80' } },
    broken: { servers: { s: 'http://10.0.0.4:80' } },
    empty: { servers: {} },
  }
  const breaker = { condition: 'NetworkErrorRatio() > 0.5', fallback: { backend: 'fallback' } }
  const frontends = {
    f: { route: 'Path("/x")', backend: 'b', breaker },
    e: { route: 'Path("/e")', backend: 'empty' },
    r: {
      route: 'Path("/r")',
      middlewares: [
        { kind: 'respond', status: 204 },
        { kind: 'bodylimit', size: '1MiB' },
      ],
    },
  }

  const hints = diagnosticsOf({ ...SITE, backends, frontends }).map((line) =>
    line.slice(line.indexOf('hint')),
  )

  assert.deepEqual(hints.toSorted(), [
    'hint backend broken: is not used: no frontend or listener names it',
    'hint backend empty: has no servers: its requests get 503',
    'hint backend spare: is not used: no frontend or listener names it',
    'hint frontend r: middlewares: the middleware bodylimit is never reached: respond before it responds to every request',
  ])
})

test('http2 of a backend whose servers speak HTTP/1.1 is a hint', () => {
  const http2 = { streams: 10 }
  const [clear, secure] = [{ s: 'http://10.0.0.1:80' }, { s: 'https://10.0.0.1:443' }]
  const backends = {
    default: { servers: secure, http2 },
    unsure: { servers: clear, protocol: 'auto', http2 },
    chosen: { servers: secure, protocol: 'auto', http2 },
    prior: { servers: clear, protocol: 'h2', http2 },
    some: { servers: { ...clear, t: 'h2c://10.0.0.2:80' }, http2 },
    empty: { servers: {}, http2 },
  }
  const frontends = Object.fromEntries(
    Object.keys(backends).map((id) => [id, { route: `Path("/${id}")`, backend: id }]),
  )

  const found = diagnosticsOf({ ...SITE, backends, frontends })

  const needs =
    'http2: is not used: its servers speak HTTP/1.1; set protocol to h2, to auto with https servers, or begin their URLs with h2c://'
  assert.deepEqual(
    found.filter((line) => line.includes('http2')).map((line) => line.slice(line.indexOf('hint'))),
    [`hint backend default: ${needs}`, `hint backend unsure: ${needs}`],
  )
})

test('a backend that only a frontend set aside names is used', () => {
  const frontends = { f: { route: 'Path("/x', backend: 'b' } }

  assert.equal(
    diagnosticsOf({ ...SITE, frontends }).filter((line) => line.includes('hint')).length,
    0,
  )
})

test('where other sources are named, what they may need or declare is no finding', () => {
  const sources = { etcd: { endpoints: ['127.0.0.1:2379'] } }
  const frontends = { f: { route: 'Listener("theirs") && Path("/x")', backend: 'theirs' } }

  assert.deepEqual(diagnosticsOf({ ...SITE, sources, frontends }), [])
})

test('reports certificates that have expired or will within two weeks, with their position', (t) => {
  const authority = createAuthority(t)
  const certificates = [40, 5, 0, -1].map((days) => {
    const { cert, key } = authority.issueWith({ days }, `d${days}.test`)
    return { cert, key }
  })
  const { cert, key } = authority.issueWith({ days: 2 }, 'host.test')
  const listeners = { secure: { address: ':8443', protocol: 'https', tls: { certificates } } }
  const frontends = { f: { route: 'Path("/x")', backend: 'b' } }

  const found = diagnosticsOf({
    ...SITE,
    listeners,
    hosts: { 'host.test': { cert, key } },
    frontends,
  })

  const told = found.map((line) =>
    line.replace(/.* (warning|hint)/, '$1').replace(/\d{4}-\d\d-\d\d/, 'DAY'),
  )
  assert.deepEqual(told.toSorted(), [
    'warning host host.test: the certificate for host.test, or one that it is sent with, ends in 1 day, on DAY; renew it',
    'warning listener secure: tls.certificates.1: the certificate for d5.test, or one that it is sent with, ends in 4 days, on DAY; renew it',
    'warning listener secure: tls.certificates.2: the certificate for d0.test, or one that it is sent with, ended on DAY; renew it',
    'warning listener secure: tls.certificates.3: the certificate for d-1.test, or one that it is sent with, ended on DAY; renew it',
  ])
})

/** A listener with a certificate of so many days, as it is in force. */
function inForceWith(t: TestContext, days: number, chain = ''): readonly InForce[] {
  const { cert, key } = createAuthority(t).issueWith({ days }, 'a.test')
  const admission = openAdmission()
  const tls = { certificates: [{ cert: cert + chain, key }] }
  admission.declare({ listeners: { web: { address: ':8443', protocol: 'https', tls } } })
  return [...admission.inForce()]
}

test('reports a certificate from two weeks before its end until its renewal', (t) => {
  const inForce = inForceWith(t, 30)
  const dates = createCertificateExpiry()
  const day = 86_400_000
  const toldAt = (days: number): number =>
    dates.diagnostics(inForce, Date.now() + days * day).length

  assert.deepEqual([toldAt(0), toldAt(15), toldAt(17), toldAt(31), toldAt(-1)], [0, 0, 1, 1, 1])
  assert.deepEqual(dates.diagnostics(inForceWith(t, 90), Date.now() + 17 * day), [])
})

test('an authority in the chain that ends first is the end of the certificate', (t) => {
  const short = createAuthority(t).issueWith({ days: 3 }, 'authority.test').cert

  const [found] = createCertificateExpiry().diagnostics(inForceWith(t, 90, short), Date.now())

  assert.match(found?.message ?? '', /^the certificate for a\.test, or one .* ends in 2 days/)
})

test('tls of a backend whose servers are spoken to in clear is a hint', () => {
  const tls = { serverName: 'inside.test' }
  const backends = {
    clear: { servers: { s: 'http://10.0.0.1:80' }, tls },
    secure: { servers: { s: 'https://10.0.0.1:443' }, tls },
    some: { servers: { s: 'http://10.0.0.1:80', t: 'https://10.0.0.1:443' }, tls },
    plain: { servers: { s: 'http://10.0.0.1:80' }, tls: {} },
    empty: { servers: {}, tls },
  }
  const frontends = Object.fromEntries(
    Object.keys(backends).map((id) => [id, { route: `Path("/${id}")`, backend: id }]),
  )

  const found = diagnosticsOf({ ...SITE, backends, frontends })

  assert.deepEqual(
    found.filter((line) => line.includes('tls:')).map((line) => line.slice(line.indexOf('hint'))),
    [
      'hint backend clear: tls: is not used: its servers are spoken to in clear; begin their URLs with https://, or with tls:// for streams',
    ],
  )
})
