import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Labelled } from '../../src/providers/labels/labelled.ts'
import {
  admit,
  container,
  openRoutes,
  readLabels,
  setAsideOf,
  valuesOf,
  type Labels,
  type LabelledObjects,
} from '../support/labelled.ts'

function withEnv(env: Labels, about: Partial<Labelled> = {}): Labelled {
  return container({}, { env: new Map(Object.entries(env)), ...about })
}

function read(...items: readonly Labelled[]): LabelledObjects {
  return readLabels(items, { virtualHost: true })
}

test('VIRTUAL_HOST is a frontend for each host, by option only', () => {
  const item = withEnv({ VIRTUAL_HOST: 'Shop.example, www.shop.example' })

  const labelled = read(item)

  assert.deepEqual(valuesOf(labelled), {
    'frontend shop.example': { route: 'Host("Shop.example")', backend: 'shop.example' },
    'backend shop.example': {},
    'server shop.example/shop-web-1': { url: 'http://10.0.0.1:8080' },
    'frontend www.shop.example': {
      route: 'Host("www.shop.example")',
      backend: 'www.shop.example',
    },
    'backend www.shop.example': {},
    'server www.shop.example/shop-web-1': { url: 'http://10.0.0.1:8080' },
  })
  assert.deepEqual(setAsideOf(labelled), [])
  assert.deepEqual(readLabels([item]).objects, [])
})

// nginx-proxy 625, 961: two commas, and commas in an expression.
test('hosts are between commas, except for those in braces', () => {
  const hosts = (text: string): unknown =>
    read(withEnv({ VIRTUAL_HOST: text })).objects.flatMap(({ value }) => {
      const { route } = value as { readonly route?: string }
      return route ?? []
    })

  assert.deepEqual(hosts('a,, b ,'), ['Host("a")', 'Host("b")'])
  assert.deepEqual(hosts(' '), [])
  assert.deepEqual(hosts('~^auth\\d{0,2}\\.a$,b'), [
    'HostRegexp("^auth\\\\d{0,2}\\\\.a$")',
    'Host("b")',
  ])
})

// nginx-proxy 375, 1693: hosts that are no names break all the others there.
test('a host that is none sets aside only itself, and an IPv6 address is one', () => {
  const labelled = read(withEnv({ VIRTUAL_HOST: 'www.foo.com www.bar.com,[2001:db8::7],ok' }))

  assert.match(setAsideOf(labelled).join(), /^frontend virtual-host-[0-9a-f]+: route: .*www\.foo/)
  assert.equal(setAsideOf(labelled).length, 1)
  assert.notEqual(openRoutes(admit(labelled))('GET [2001:db8::7]/'), '404')
})

test('a label goes before the variable, and sluice.enable: false before both', () => {
  const env = new Map([['VIRTUAL_HOST', 'a']])
  const labelled = read(container({ VIRTUAL_HOST: 'b' }, { env }))
  const off = read(container({ VIRTUAL_HOST: 'b', 'sluice.enable': 'false' }, { env }))

  assert.deepEqual(Object.keys(valuesOf(labelled))[0], 'frontend b')
  assert.deepEqual(off.objects, [])
})

test('the port is VIRTUAL_PORT, else the only exposed one, else 80', () => {
  const urlOf = (env: Labels, ports: readonly number[]): unknown =>
    valuesOf(read(withEnv({ VIRTUAL_HOST: 'a', ...env }, { ports })))['server a/shop-web-1']

  assert.deepEqual(urlOf({ VIRTUAL_PORT: '9000' }, [8080]), { url: 'http://10.0.0.1:9000' })
  assert.deepEqual(urlOf({}, [8080]), { url: 'http://10.0.0.1:8080' })
  assert.deepEqual(urlOf({}, [3000, 8080]), { url: 'http://10.0.0.1:80' })
  assert.deepEqual(urlOf({}, []), { url: 'http://10.0.0.1:80' })
})

test('hosts and paths match as in nginx', () => {
  const cases: readonly (readonly [host: string, path: string, holds: string, not: string])[] = [
    ['*.bar.com', '/', 'a.b.bar.com/', 'bar.com/'],
    ['foo.bar.*', '/', 'foo.bar.co.uk/', 'foo.bar/'],
    ['.bar.com', '/', 'bar.com/', 'foobar.com/'],
    ['~^foo\\.bar\\..*\\.nip\\.io$', '/', 'foo.bar.10.0.0.1.nip.io/', 'foo.bar.nip.io/'],
    ['a', '/api', 'a/apix', 'a/ap'],
    ['a', '/api/', 'a/api/x', 'a/api'],
    ['a', '= /api', 'a/api', 'a/api/x'],
    ['a', '~^/(app1|alternative1)/', 'a/app1/x', 'a/app2/x'],
    ['a', '~* \\.PNG$', 'a/x.png', 'a/x.gif'],
  ]
  for (const [VIRTUAL_HOST, VIRTUAL_PATH, holds, not] of cases) {
    const labelled = read(withEnv({ VIRTUAL_HOST, VIRTUAL_PATH }))
    const routed = openRoutes(admit(labelled))

    assert.notEqual(routed(`GET ${holds}`), '404', `${VIRTUAL_HOST} ${VIRTUAL_PATH}: ${holds}`)
    assert.equal(routed(`GET ${not}`), '404', `${VIRTUAL_HOST} ${VIRTUAL_PATH}: ${not}`)
  }
})

test('containers with one host are one backend, by path another', () => {
  const labelled = read(
    withEnv({ VIRTUAL_HOST: 'a' }),
    withEnv({ VIRTUAL_HOST: 'a' }, { id: 'other-1', service: 'other' }),
    withEnv({ VIRTUAL_HOST: 'a', VIRTUAL_PATH: '/api' }, { id: 'api-1' }),
  )

  assert.deepEqual(Object.keys(valuesOf(labelled)).sort(), [
    'backend a',
    'backend a-api',
    'frontend a',
    'frontend a-api',
    'server a-api/api-1',
    'server a/other-1',
    'server a/shop-web-1',
  ])
  assert.equal(openRoutes(admit(labelled))('GET a/api/x'), 'a-api')
})

test('VIRTUAL_HOST_MULTIPORTS goes before the other variables', () => {
  const labelled = read(
    withEnv({
      VIRTUAL_HOST: 'not.example',
      VIRTUAL_HOST_MULTIPORTS: [
        'www.example.org:',
        'service1.example.org:',
        '  "/":',
        '    port: 8000',
        '  "/two":',
        '    port: 9000',
      ].join('\n'),
    }),
  )
  const json = read(withEnv({ VIRTUAL_HOST_MULTIPORTS: '{"a": {}, "b": {"/": {"port": 1}}}' }))

  assert.deepEqual(
    Object.entries(valuesOf(labelled)).filter(([name]) => name.startsWith('server')),
    [
      ['server www.example.org/shop-web-1', { url: 'http://10.0.0.1:8080' }],
      ['server service1.example.org/shop-web-1', { url: 'http://10.0.0.1:8000' }],
      ['server service1.example.org-two/shop-web-1', { url: 'http://10.0.0.1:9000' }],
    ],
  )
  assert.equal(json.objects.length, 6)
})

test('what cannot be done here closes the route', () => {
  const routed = (env: Labels): string =>
    openRoutes(admit(read(withEnv({ VIRTUAL_HOST: 'a', ...env }))))('GET a/app/x')
  const remark = (env: Labels): unknown =>
    read(withEnv({ VIRTUAL_HOST: 'a', ...env })).objects[0]?.remarks

  assert.equal(routed({ VIRTUAL_PATH: '/app/', VIRTUAL_DEST: '/' }), '503')
  assert.equal(routed({ VIRTUAL_PROTO: 'fastcgi' }), '503')
  assert.equal(routed({ VIRTUAL_PATH: '/app/', VIRTUAL_DEST: '/app/' }), 'a-app')
  assert.deepEqual(remark({ VIRTUAL_PATH: '/app/', VIRTUAL_DEST: '/' }), [
    'is closed, requests get 503: VIRTUAL_DEST "/" is not supported: the path of a request cannot be changed',
  ])
  assert.deepEqual(remark({ VIRTUAL_PROTO: 'fastcgi' }), [
    'is closed, requests get 503: VIRTUAL_PROTO "fastcgi" is not supported',
  ])
})

test('NETWORK_ACCESS: internal refuses clients of other networks', () => {
  const routed = openRoutes(admit(read(withEnv({ VIRTUAL_HOST: 'a', NETWORK_ACCESS: 'internal' }))))

  assert.equal(routed('GET a/', '192.168.7.7'), 'a')
  assert.equal(routed('GET a/', '8.8.8.8'), '403')
})

test('servers over https are not verified, as in nginx, which is said', () => {
  const labelled = read(withEnv({ VIRTUAL_HOST: 'a', VIRTUAL_PROTO: 'https', VIRTUAL_PORT: '443' }))

  assert.deepEqual(valuesOf(labelled)['backend a'], { tls: { verify: false } })
  assert.deepEqual(valuesOf(labelled)['server a/shop-web-1'], { url: 'https://10.0.0.1:443' })
  assert.deepEqual(labelled.objects.find(({ kind }) => kind === 'backend')?.remarks, [
    'its certificate is not verified, as in nginx',
  ])
})

test('servers of gRPC speak HTTP/2, with TLS or without', () => {
  const servers = (proto: string): unknown[] => {
    const values = valuesOf(
      read(withEnv({ VIRTUAL_HOST: 'a', VIRTUAL_PROTO: proto, VIRTUAL_PORT: '50' })),
    )
    return [values['backend a'], values['server a/shop-web-1']]
  }

  assert.deepEqual(servers('grpc'), [{}, { url: 'h2c://10.0.0.1:50' }])
  assert.deepEqual(servers('grpcs'), [
    { protocol: 'h2', tls: { verify: false } },
    { url: 'https://10.0.0.1:50' },
  ])
})

test('what is wrong or not honoured is reported by its variable', () => {
  const problems = (env: Labels): string[] =>
    read(withEnv(env)).problems.map(({ level, message }) => `${level}: ${message}`)

  assert.deepEqual(problems({ VIRTUAL_HOST: 'a', HTTPS_METHOD: 'noredirect', CERT_NAME: 'x' }), [
    'hint: HTTPS_METHOD is not honoured',
    'hint: CERT_NAME is not honoured',
  ])
  assert.match(problems({ VIRTUAL_HOST_MULTIPORTS: '{' })[0] ?? '', /MULTIPORTS is not valid YAML/)
  assert.deepEqual(problems({ VIRTUAL_HOST_MULTIPORTS: 'a: [1]' }), [
    'undefined: VIRTUAL_HOST_MULTIPORTS: "a" must be a map of paths',
  ])
  assert.deepEqual(problems({ VIRTUAL_HOST_MULTIPORTS: 'a: {/: 7}' }), [
    'undefined: VIRTUAL_HOST_MULTIPORTS: "/" must be a map of port and dest',
  ])
  assert.deepEqual(setAsideOf(read(withEnv({ VIRTUAL_HOST: 'a', VIRTUAL_PATH: 'app' }))), [
    'frontend aapp: VIRTUAL_PATH "app" must begin with / or ~',
  ])
  assert.match(
    setAsideOf(read(withEnv({ VIRTUAL_HOST: 'a', VIRTUAL_PORT: 'x' }))).join(),
    /VIRTUAL_PORT must be a port/,
  )
})
