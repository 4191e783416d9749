// The cases follow fabio's documentation: quick start, config language, traffic shaping, access control, redirects.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import type { DeclaredObject } from '../../src/providers/provider.ts'
import { readCommands } from '../../src/providers/layouts/fabio/command.ts'
import { toObjects } from '../../src/providers/layouts/fabio/objects.ts'
import { shareOut } from '../../src/providers/layouts/fabio/shares.ts'
import { readTags, type TaggedService } from '../../src/providers/layouts/fabio/tags.ts'
import { createLayout } from '../support/layouts.ts'

const fabio = createLayout('fabio', { sealKey: null })

test('a route is a frontend and a backend with the servers of its destinations', () => {
  const objects = read(
    'route add web a.com/css http://10.0.0.1:80/\nroute add web a.com/css http://10.0.0.2:80/',
  )

  assert.deepEqual(valuesOf(objects), {
    'frontend a.com:css': {
      route: 'Host("a.com") && Path("/css<path:rest>")',
      backend: 'a.com:css',
    },
    'backend a.com:css': {},
    'server a.com:css/web-10.0.0.1:80': { url: 'http://10.0.0.1:80' },
    'server a.com:css/web-10.0.0.2:80': { url: 'http://10.0.0.2:80' },
  })
  assert.equal(objects[0]?.line, 1)
})

test('proto=tcp+sni routes connections by their server name', () => {
  const options = 'opts "proto=tcp+sni allow=ip:10.0.0.0/8"'
  const objects = read(
    `route add db db.a.com/ tcp://10.0.0.1:5432 ${options}
     route add db db.a.com/ http://10.0.0.2:5432 ${options}
     route add bad b.com/ tcp://10.0.0.1:80 opts "proto=tcp+sni"
     route add bad b.com/ http://10.0.0.2:80`,
  )

  assert.deepEqual(valuesOf(objects), {
    'frontend db.a.com': {
      protocol: 'tcp',
      route: 'HostSNI("db.a.com") && ClientIP("10.0.0.0/8")',
      backend: 'db.a.com',
    },
    'backend db.a.com': {},
    'server db.a.com/db-10.0.0.1:5432': { url: 'tcp://10.0.0.1:5432' },
    'server db.a.com/db-10.0.0.2:5432': { url: 'tcp://10.0.0.2:5432' },
    'frontend b.com': undefined,
  })
  const { fault } = objects.at(-1) ?? {}
  assert.equal(fault, 'proto=tcp+sni needs a host, and all destinations must have it')
})

const routes: Readonly<Record<string, string>> = {
  '/': 'PathPrefix("/")',
  '/css': 'Path("/css<path:rest>")',
  '/css/': 'PathPrefix("/css/")',
  'A.com/Css/': 'Host("a.com") && PathPrefix("/Css/")',
  'a.com': 'Host("a.com")',
  '*.a.com/': 'Host("**.a.com")',
  '*/x/': 'PathPrefix("/x/")',
  'api*.a.com/': String.raw`(Host("api<n1>.a.com") || HostRegexp("^api.*\\.a\\.com$"))`,
  'a[12].com/': String.raw`HostRegexp("^a[12]\\.com$")`,
  '{a,b*}.com/': String.raw`HostRegexp("^(?:a|b.*)\\.com$")`,
  'a.com:9999/': 'Host("a.com") && HeaderRegexp("Host", ":9999$")',
  '/a<b>/': String.raw`PathRegexp("^/a<b>/")`,
}

for (const [source, route] of Object.entries(routes)) {
  test(`the source ${source} is the route ${route}`, () => {
    const [frontend] = read(`route add web ${source} http://10.0.0.1:80/`)

    assert.equal((frontend?.value as { route: string }).route, route)
  })
}

test('weights are whole numbers in the proportion of the shares', () => {
  const objects = read(
    `route add web /a/ http://10.0.0.1:80/ weight 0.05 tags "canary"
     route add web /a/ http://10.0.0.2:80/
     route add web /a/ http://10.0.0.3:80/`,
  )

  assert.deepEqual(weightsOf(objects), { 1: 2, 2: 19, 3: 19 })
})

test('route weight divides a share among all destinations that it names, whatever their number', () => {
  const objects = read(
    `route add b w.com/auth/ http://10.0.0.1:80/ tags "version-15,dc-fra"
     route add b w.com/auth/ http://10.0.0.2:80/ tags "version-15,dc-fra"
     route add a w.com/auth/ http://10.0.0.3:80/
     route weight b w.com/auth/ weight 0.05 tags "version-15,dc-fra"`,
  )

  assert.deepEqual(weightsOf(objects), { 1: 1, 2: 1, 3: 38 })
})

test('a share of 1 leaves nothing for the others, which is said', () => {
  const objects = read(
    `route add vault v.com http://10.0.0.1:80/ tags "active"
     route add vault v.com http://10.0.0.2:80/
     route weight vault v.com weight 1.00 tags "active"`,
  )

  assert.deepEqual(weightsOf(objects), { 1: 1 })
  assert.deepEqual(objects[0]?.remarks, [
    'http://10.0.0.2:80 gets no requests: the others have all of the weight',
  ])
})

const deletions: Readonly<Record<string, readonly string[]>> = {
  'route del a': ['3'],
  'route del a x.com/': ['2', '3'],
  'route del a x.com/ http://10.0.0.9:80/': ['1', '2', '3'],
  'route del a x.com/ http://10.0.0.1:80/': ['2', '3'],
  'route del tags "t"': ['1'],
  'route del a tags "t"': ['1', '3'],
  'route del a tags "t,u"': ['1', '2', '3'],
}

for (const [line, left] of Object.entries(deletions)) {
  test(`${line} removes what it names`, () => {
    const objects = read(
      `route add a x.com/ http://10.0.0.1:80/
       route add a y.com/ http://10.0.0.2:80/ tags "s,t"
       route add b y.com/ http://10.0.0.3:80/ tags "t"
       ${line}`,
    )

    assert.deepEqual(Object.keys(weightsOf(objects)), left)
  })
}

test('the order of commands counts: what is added after its removal is there', () => {
  const objects = read('route del a\nroute add a x.com/ http://10.0.0.1:80/')

  assert.deepEqual(weightsOf(objects), { 1: 1 })
})

test('options of an https server, and the Host of the server', () => {
  const objects = read(
    'route add web /a/ https://10.0.0.1:443/ opts "tlsskipverify=true host=dst register=x"',
  )

  assert.deepEqual(valuesOf(objects), {
    'frontend :a:': { route: 'PathPrefix("/a/")', backend: ':a:', passHost: false },
    'backend :a:': { tls: { verify: false } },
    'server :a:/web-10.0.0.1:443': { url: 'https://10.0.0.1:443' },
  })
  assert.deepEqual(objects[0]?.remarks, ['"register" is not honoured'])
})

test('certificates are verified unless no destination wants it', () => {
  const objects = read(
    `route add web /a/ https://10.0.0.1:443/ opts "tlsskipverify=true"
     route add web /a/ https://10.0.0.2:443/`,
  )

  assert.deepEqual(valuesOf(objects)['backend :a:'], {})
  assert.match(objects[0]?.remarks?.join() ?? '', /tlsskipverify=true is not honoured/)
})

test('allow and deny are terms of the route, and a refusal behind it for everybody else', () => {
  const allowed = read('route add web /a/ http://h:80/ opts "allow=ip:10.0.0.0/8,ip:fe80::/10"')
  const denied = read('route add web /a/ http://h:80/ opts "deny=ip:fe80::1234,100.123.0.0/16"')

  assert.deepEqual(valuesOf(allowed)['frontend :a:'], {
    route: 'PathPrefix("/a/") && ClientIP("10.0.0.0/8", "fe80::/10")',
    backend: ':a:',
  })
  assert.deepEqual(valuesOf(allowed)['frontend :a:@refused'], {
    route: 'PathPrefix("/a/")',
    respond: { status: 403, body: 'Forbidden\n' },
  })
  assert.deepEqual(valuesOf(denied)['frontend :a:'], {
    route: 'PathPrefix("/a/") && !ClientIP("fe80::1234", "100.123.0.0/16")',
    backend: ':a:',
  })
})

test('servers of gRPC speak HTTP/2, with TLS or without', () => {
  const objects = read(
    `route add web a.com/x/ http://h:80/ opts "proto=grpc"
     route add web b.com/x/ grpc://h:81/
     route add web c.com/x/ http://h:443/ opts "proto=grpcs tlsskipverify=true"`,
  )

  const values = objects.filter(({ kind }) => kind !== 'frontend').map(({ value }) => value)
  assert.deepEqual(values, [
    {},
    { url: 'h2c://h:80' },
    {},
    { url: 'h2c://h:81' },
    { protocol: 'h2', tls: { verify: false } },
    { url: 'https://h:443' },
  ])
})

const closing: Readonly<Record<string, readonly [string, RegExp]>> = {
  'an authorization': ['http://h:80/ opts "auth=mine"', /auth=mine/],
  'a path to strip': ['http://h:80/ opts "strip=/a"', /strip=\/a/],
  'a path to prepend': ['http://h:80/ opts "prepend=/x"', /prepend=\/x/],
  'a Host to send': ['http://h:80/ opts "host=x.com"', /host=x\.com/],
  'a client that is no address': ['http://h:80/ opts "allow=ip:nonsense"', /allow: must be ip:/],
  'a client of another kind': ['http://h:80/ opts "deny=geo:x"', /deny: must be ip:/],
  'an option proto that is not http': ['http://h:80/ opts "proto=ws"', /ws is not supported/],
  'no URL': ['nonsense', /is no URL/],
  'a redirect that is none': ['https://x/ opts "redirect=404"', /redirect=404: must be one of/],
  'a redirect within its text': ['https://x/$path/y opts "redirect=301"', /\$path may only be/],
}

for (const [name, [rest, reason]] of Object.entries(closing)) {
  test(`a route with ${name} is closed, and says why`, () => {
    const [frontend, ...others] = read(`route add web a.com/x/ ${rest}`)

    assert.deepEqual(others, [])
    assert.deepEqual(frontend?.value, {
      route: 'Host("a.com") && PathPrefix("/x/")',
      respond: { status: 503, body: 'This route is closed.\n' },
    })
    assert.match(frontend.remarks?.join() ?? '', reason)
  })
}

test('a guard that only some destinations of a route have closes it', () => {
  const [frontend] = read(
    'route add a /x/ http://h:80/ opts "allow=ip:10.0.0.0/8"\nroute add b /x/ http://i:80/',
  )

  assert.match(frontend?.remarks?.join() ?? '', /is closed.*different allow and deny/)
})

const redirects: Readonly<Record<string, object>> = {
  'route add s /p/ https://x.com opts "redirect=301"': {
    redirect: { to: 'https://x.com/', status: 301, keepPath: false },
  },
  'route add s /p/ https://x.com/a?b=c opts "redirect=302"': {
    redirect: { to: 'https://x.com/a?b=c', status: 302, keepPath: false },
  },
  'route add s /p/ https://x.com$path opts "redirect=303"': {
    redirect: { to: 'https://x.com', status: 303, keepPath: true },
  },
  'route add s /p/ https://x.com/a/$path opts "redirect=308"': {
    redirect: { to: 'https://x.com/a', status: 308, keepPath: true },
  },
  'route add s /p/ http://10.0.0.1/ opts "redirect=301,https://x.com$path"': {
    redirect: { to: 'https://x.com', status: 301, keepPath: true },
  },
  'route add s /p/ https://$host$path opts "redirect=301"': {
    redirect: { scheme: 'https', status: 301 },
    respond: { status: 404, body: 'Not Found\n' },
  },
}

for (const [line, expected] of Object.entries(redirects)) {
  test(`${line} redirects`, () => {
    const [frontend, ...others] = read(line)

    assert.deepEqual(others, [])
    assert.deepEqual(frontend?.value, { route: 'PathPrefix("/p/")', ...expected })
  })
}

test('a redirect of the plain requests of a host is part of the routes of that host', () => {
  const objects = read(
    `route add web a.com/ http://10.0.0.1:80/
     route add web a.com/api/ http://10.0.0.2:80/
     route add web b.com/ http://10.0.0.3:80/
     route add web a.com:80/ https://a.com/ opts "redirect=301"`,
  )

  const redirecting = objects.filter(
    ({ kind, value }) => kind === 'frontend' && 'redirect' in (value as object),
  )
  assert.deepEqual(
    redirecting.map(({ id, value }) => [id, (value as { redirect: object }).redirect]),
    [
      ['a.com', { scheme: 'https', status: 301 }],
      ['a.com:api:', { scheme: 'https', status: 301 }],
    ],
  )
})

test('a line that cannot be read is set aside alone, with its number', () => {
  const objects = read(
    `# a comment
     // another

     rout add web / http://h:80/
     route add web /a/ http://h:80/ weight heavy
     route add web /b/ http://h:80/
     route weight nothing /c/ weight 1`,
  )

  const faults = objects.filter(({ fault }) => fault !== undefined)
  assert.deepEqual(
    faults.map(({ fault, line }) => [line, fault]),
    [
      [5, 'line 5: the weight must be a number such as 0.25, not "heavy"'],
      [4, 'line 4: a line begins with route add, del or weight'],
      [7, 'weighs a route that does not exist'],
    ],
  )
  // It is known which requests the first is for, so that they do not go to a broader route.
  assert.equal(faults[0]?.id, ':a:')
  assert.ok(faults[0].closed !== undefined)
  assert.equal('frontend :b:' in valuesOf(objects), true)
})

test('a bad line about a route that has destinations is a remark of it', () => {
  const [frontend] = read('route add web /a/ http://h:80/\nroute add web /a/ http://i:80/ weight x')

  assert.deepEqual(frontend?.value, { route: 'PathPrefix("/a/")', backend: ':a:' })
  assert.match(frontend.remarks?.join() ?? '', /^line 2: the weight/)
})

test('the keys below config are joined in their order, and noroute.html is the last route', () => {
  const entry = (path: string, text: string) => ({ path, key: `/fabio/${path}`, text })
  const config = [
    entry('config/b', 'route del web'),
    entry('config/a', 'route add web /a/ http://h:80/\nroute add app /b/ http://h:80/'),
  ]

  const objects = fabio.read(config, () => [])
  const [last] = fabio.read([entry('noroute.html', '<h1>no</h1>')], () => [])

  assert.equal(fabio.groupOf('config/a'), fabio.groupOf('config'))
  assert.equal(fabio.groupOf('configuration'), null)
  assert.deepEqual(Object.keys(valuesOf(objects)), [
    'frontend :b:',
    'backend :b:',
    'server :b:/app-h:80',
  ])
  assert.deepEqual(last?.value, {
    route: 'PathPrefix("/")',
    priority: -1_000_000_000,
    respond: { status: 404, body: '<h1>no</h1>', type: 'text/html; charset=utf-8' },
  })
})

const instance: TaggedService = {
  ...{ service: 'web', host: '10.0.0.1', port: 8080, key: 'service web (web-1)' },
  tags: ['urlprefix-A.com/Css weight=0.5 proto=https tlsskipverify=true', ' v1 '],
}

test('tags are routes to the instance', () => {
  const objects = toObjects(readTags(instance))

  assert.deepEqual(valuesOf(objects), {
    'frontend a.com:Css': {
      route: 'Host("a.com") && Path("/Css<path:rest>")',
      backend: 'a.com:Css',
    },
    'backend a.com:Css': { tls: { verify: false } },
    'server a.com:Css/web-10.0.0.1:8080': { url: 'https://10.0.0.1:8080' },
  })
  assert.equal(objects[0]?.key, 'service web (web-1)')
})

test('tags and manual commands are one table, in which the manual ones come last', () => {
  const other = { ...instance, host: '10.0.0.2', tags: ['urlprefix-A.com/Css'] }
  const manual = 'route weight web a.com/Css weight 0.25 tags "v1"'
  const tags = ['urlprefix-a.com/Css', 'v1']

  const objects = toObjects([
    ...readTags({ ...instance, tags }),
    ...readTags(other),
    ...readCommands(manual, '/fabio/config'),
  ])

  assert.deepEqual(weightsOf(objects), { 1: 1, 2: 3 })
})

test('the datacentre is expanded in a tag, any other name is empty, and IPv6 is in brackets', () => {
  const tags = [`urlprefix-$\{DC}.a.com/$DC/$\{X}y`]
  const objects = toObjects(readTags({ ...instance, host: '::1', tags, datacentre: 'FRA' }))

  assert.deepEqual(valuesOf(objects), {
    'frontend fra.a.com:FRA:y': {
      route: 'Host("fra.a.com") && Path("/FRA/y<path:rest>")',
      backend: 'fra.a.com:FRA:y',
    },
    'backend fra.a.com:FRA:y': {},
    [Object.keys(valuesOf(objects))[2] ?? '']: { url: 'http://[::1]:8080' },
  })
})

test('a redirect of a tag goes where it says, not to the instance', () => {
  const tags = ['urlprefix-/path redirect=303,https://www.foo.com$path']
  const [frontend] = toObjects(readTags({ ...instance, tags }))

  assert.deepEqual(frontend?.value, {
    route: 'Path("/path<path:rest>")',
    redirect: { to: 'https://www.foo.com', status: 303, keepPath: true },
  })
})

test('an instance that gets no requests keeps its route', () => {
  const objects = toObjects(readTags({ ...instance, isServing: false }))

  assert.deepEqual(
    objects.map(({ kind }) => kind),
    ['frontend', 'backend'],
  )
})

test('a tag of a port, and one that cannot be read, are set aside with the service that has them', () => {
  const tags = ['urlprefix-:3306 proto=tcp', 'urlprefix-', 'urlprefix-/x redirect=301']
  const objects = toObjects(readTags({ ...instance, tags }))

  assert.deepEqual(
    objects.map(({ key, fault }) => [key, fault]),
    [
      [
        'service web (web-1)',
        'the port :3306 is for tcp: declare a listener there with protocol: tcp and a backend',
      ],
      ['service web (web-1)', 'redirect must be redirect=CODE,URL'],
      ['service web (web-1)', 'a tag needs a host or a path, as in urlprefix-host/path'],
    ],
  )
})

test('shares come out as weights to a thousandth of the largest, and every share above 0 does', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(0, 0.01, 0.05, 0.25, 0.333, 0.5, 2), { minLength: 1 }),
      (written) => {
        const { weights } = shareOut(written)

        const sum = written.reduce<number>((all, one) => all + one, 0)
        const most = Math.max(...weights)
        assert.ok(weights.every((one) => Number.isInteger(one) && one >= 0 && one <= 1_000))
        assert.ok(most >= 1)
        for (const [at, one] of written.entries()) {
          const isLeftOut = sum >= 1 && one === 0
          assert.equal(weights[at] === 0, isLeftOut, JSON.stringify([written, weights]))
          for (const [other, another] of written.entries()) {
            if (one === 0 || another === 0) continue
            const ratio = (weights[at] ?? 0) / (weights[other] ?? 1)
            const error = Math.abs(ratio / (one / another) - 1)
            assert.ok(error < 0.35 || Math.min(weights[at] ?? 0, weights[other] ?? 0) < 4)
          }
        }
      },
    ),
  )
})

test('any text is read without an exception, each name once', () => {
  const word = fc.constantFrom(
    ...['route', 'add', 'del', 'weight', 'web', 'a.com/x', '/', ':80', 'tags', '"a,b"', 'opts'],
    ...['"redirect=301 strip=/a"', 'http://h:1/', '0.5', '*.a.com/', '__proto__', '\n', '"', '{[*'],
  )
  fc.assert(
    fc.property(
      fc.array(fc.oneof(word, fc.string({ maxLength: 8 })), { maxLength: 60 }),
      (words) => {
        const objects = read(words.join(' '))

        const names = objects.map(({ kind, id }) => `${kind} ${id}`)
        assert.equal(new Set(names).size, names.length)
      },
    ),
    { numRuns: 300 },
  )
})

test('a text of a megabyte of commands is bounded', () => {
  const text = 'route add a /x/ http://h:1/\n'.repeat(36_000)

  const objects = read(text)

  assert.match(objects.at(-1)?.fault ?? '', /has more than 20000 commands/)
})

function read(text: string): readonly DeclaredObject[] {
  return fabio.read([{ path: 'config', key: '/fabio/config', text }], () => [])
}

function valuesOf(objects: readonly DeclaredObject[]): Record<string, unknown> {
  return Object.fromEntries(objects.map(({ kind, id, value }) => [`${kind} ${id}`, value]))
}

/** By the last number of the address. */
function weightsOf(objects: readonly DeclaredObject[]): Record<string, number> {
  return Object.fromEntries(
    objects
      .filter(({ kind }) => kind === 'server')
      .map(({ value }) => value as { url: string; weight?: number })
      .map(({ url, weight = 1 }) => [/(\d+):\d+$/.exec(url)?.[1] ?? '', weight]),
  )
}
