/** What each function of the language holds for: the table of vulcand's behaviour, and what was added to it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RoutableRequest } from '../../src/routing/request.ts'
import { RoutingTable } from '../../src/routing/table.ts'

interface Asked {
  method?: string
  host?: string
  path?: string
  listener?: string
  query?: string
  clientIp?: string
  fields?: Readonly<Record<string, string>>
}

function request(asked: Asked): RoutableRequest {
  const { fields = {}, ...rest } = asked
  return {
    method: 'GET',
    host: 'a',
    path: '/',
    listener: 'web',
    query: '',
    clientIp: '192.0.2.1',
    fieldHolds: (name, test) => test(fields[name] ?? ''),
    ...rest,
  }
}

function holds(route: string, asked: Asked): boolean {
  const table = new RoutingTable<boolean>()
  table.upsert('r', route, null, true)
  return table.match(request(asked)) ?? false
}

const hosts = (...names: string[]): Asked[] => names.map((host) => ({ host }))
const paths = (...texts: string[]): Asked[] => texts.map((path) => ({ path }))
const header = (name: string, ...values: string[]): Asked[] =>
  values.map((value) => ({ fields: { [name]: value } }))
const queries = (...texts: string[]): Asked[] => texts.map((query) => ({ query }))
const clients = (...ips: string[]): Asked[] => ips.map((clientIp) => ({ clientIp }))
const listeners = (...ids: string[]): Asked[] => ids.map((listener) => ({ listener }))
const methods = (...names: string[]): Asked[] => names.map((method) => ({ method }))

const cases: readonly [route: string, holdsFor: Asked[], notFor: Asked[]][] = [
  ['Host("EXAMPLE.com")', hosts('example.com'), hosts('www.example.com', 'example.co', '')],
  ['Host("")', hosts(''), hosts('a')],
  ['Host("[2001:DB8::1]")', hosts('[2001:db8::1]'), hosts('[2001:db8::2]', '2001')],
  ['Host(`a`, `b`)', hosts('a', 'b'), hosts('c')],
  ['Host("<h>.b")', hosts('a.b', '.b'), hosts('b', 'x.a.b', 'a.b.c')],
  ['Host("a.<h>.c")', hosts('a.b.c'), hosts('a.c', 'a.b.b.c')],
  ['Host("api-<int:n>.b")', hosts('api-12.b'), hosts('api-.b', 'api-x.b', 'api-1x.b')],
  ['Host("v<h>.b")', hosts('v.b', 'v2.b'), hosts('w2.b', 'v2.x.b')],
  ['Host("<int:n>")', hosts('12'), hosts('', '1a', 'a')],
  ['Host("<h>")', hosts('', 'a'), hosts('a.b')],
  ['HostRegexp("^(a|b)\\\\.c$")', hosts('a.c', 'b.c'), hosts('xa.c', 'a.cc')],
  ['HostRegexp("A\\\\.C")', hosts('xa.cx'), hosts('abc')],
  ['Path("/a")', paths('/a'), paths('/a/', '/', '/ab', '/A', '*')],
  // Paths come with escapes in their one spelling, and so are those of routes compared.
  ['Path("/%61x")', paths('/ax'), paths('/%61x')],
  ['Path("/caf%c3%a9")', paths('/caf%C3%A9'), paths('/caf%c3%a9')],
  ['PathPrefix("/%7euser")', paths('/~user/x'), paths('/%7Euser')],
  ['Path("/%61/<x>/%c3")', paths('/a/b/%C3'), paths('/a/b/%c3')],
  ['PathRegexp("^/caf%c3")', paths('/caf%C3%A9'), paths('/caf')],
  ['Path("/k/<x>")', paths('/k/', '/k/v'), paths('/k', '/k/v/', '/k/v/w')],
  ['Path("/k/<string:x>/z")', paths('/k/v/z', '/k//z'), paths('/k/v/y', '/k/z')],
  ['Path("/j/<int:x>/z")', paths('/j/12/z'), paths('/j/ab/z', '/j//z', '/j/1a/z')],
  ['Path("/v<int:n>.json")', paths('/v2.json'), paths('/v.json', '/v2xjson')],
  ['Path("/s/<path:x>")', paths('/s/', '/s/a', '/s/a/b'), paths('/s', '/sa')],
  ['Path("/s<path:x>")', paths('/s', '/sa/b', '/s/'), paths('/r', '/')],
  ['Path("/<a>/<path:b>")', paths('/x/', '/x/y/z'), paths('/x', '/')],
  ['PathPrefix("/api")', paths('/api', '/api/', '/api/x'), paths('/apix', '/ap', '/', '*')],
  ['PathPrefix("/api/")', paths('/api/', '/api/x'), paths('/api', '/apix')],
  ['PathPrefix("/")', paths('/', '/a', '/a/b'), paths('*')],
  ['PathRegexp("/r1")', paths('/xx/r1yy', '/r1'), paths('/r2')],
  ['PathRegexp(".*")', paths('/', '/a'), paths('*')],
  ['Host("a")', paths('*', '/x'), []],
  ['!Path("/a")', paths('*', '/b'), paths('/a')],
  ['Method("GET")', methods('GET'), methods('get', 'GETX', 'POST')],
  ['Method("GET", "HEAD")', methods('GET', 'HEAD'), methods('POST')],
  ['Method("<m>")', methods('GET', ''), []],
  ['Method("1<m>")', methods('1POST'), methods('POST')],
  ['MethodRegexp("^P(OS|U)T$")', methods('POST', 'PUT'), methods('PATCH', 'xPUT')],
  ['Header("X-A", "b")', header('x-a', 'b'), [...header('x-a', 'B', 'bc', ''), {}]],
  ['Header("X-A", "")', [...header('x-a', ''), {}], header('x-a', 'b')],
  [
    'Header("Content-Type", "application/<string>")',
    header('content-type', 'application/json', 'application/'),
    header('content-type', 'text/html', 'application/a/b'),
  ],
  ['HeaderRegexp("X-V", `^v[0-9]+$`)', header('x-v', 'v12'), [...header('x-v', 'v', 'xv1'), {}]],
  ['HeaderRegexp("X-V", ".*")', [...header('x-v', 'v'), {}], []],
  ['Query("a")', queries('a', 'a=', 'b&a=1', '%61=1'), queries('', 'b', 'A=1', 'aa=1')],
  [
    'Query("a", "1 2")',
    queries('a=1+2', 'a=1%202', 'a=0&a=1%202'),
    queries('a', 'a=1', 'b=1+2', 'a=1+2+'),
  ],
  ['ClientIP("10.0.0.0/8")', clients('10.1.2.3', '::ffff:10.1.2.3'), clients('11.0.0.1', '::', '')],
  ['ClientIP("192.0.2.7")', clients('192.0.2.7'), clients('192.0.2.8')],
  ['ClientIP("0.0.0.0/0")', clients('1.2.3.4', '::ffff:102:304'), clients('2001:db8::1')],
  [
    'ClientIP("2001:db8::/32", "::1")',
    clients('2001:db8:1::2', '2001:DB8::', '::1'),
    clients('2001:db9::1', '1.2.3.4', '::2'),
  ],
  ['ClientIP("::ffff:10.0.0.0/104")', clients('10.9.9.9'), clients('11.9.9.9')],
  ['ClientIP("fe80::/10")', clients('fe80::1%eth0'), clients('unknown')],
  ['!ClientIP("10.0.0.0/8", "::1")', clients('11.0.0.1'), clients('10.0.0.1', '::1')],
  ['Listener("web")', listeners('web'), listeners('Web', 'web2', 'admin')],
  ['!Listener("admin")', listeners('web'), listeners('admin')],
  [
    'Host("a") || Path("/p") && Method("POST")',
    [
      { host: 'a', path: '/x' },
      { host: 'b', path: '/p', method: 'POST' },
    ],
    [{ host: 'b', path: '/p' }],
  ],
  [
    '(Host("a") || Host("b")) && !(Path("/p") || Method("POST"))',
    [{ host: 'b', path: '/x' }],
    [{ host: 'a', path: '/p' }, { host: 'a', method: 'POST' }, { host: 'c' }],
  ],
  [
    '!(Host("a") && Path("/p"))',
    [
      { host: 'a', path: '/x' },
      { host: 'b', path: '/p' },
    ],
    [{ host: 'a', path: '/p' }],
  ],
  ['!!Host("a")', hosts('a'), hosts('b')],
  [
    'Host("*.example.com")',
    hosts('a.example.com', '1.example.com'),
    hosts('example.com', 'a.b.example.com', 'a.example.com.au', 'aexample.com', ''),
  ],
  [
    'Host("**.example.com")',
    hosts('a.example.com', 'a.b.example.com', 'a.b.c.example.com'),
    hosts('example.com', 'xexample.com', 'a.example.com.au', 'a.example.net', ''),
  ],
  ['!Host("**.b")', hosts('b', 'a.c', ''), hosts('a.b', 'x.a.b')],
  ['Host("*.<x>.com")', hosts('a.b.com'), hosts('b.com', 'a.b.c.com')],
  ['Host("<x>.b") && Host("a.<x>") && !Host("a.b")', [], hosts('a.b', 'c.b', 'a.c')],
  ['PathPrefix("/a") && PathRegexp("z$")', paths('/a/z'), paths('/a/y', '/b/z')],
]

for (const [route, holdsFor, notFor] of cases) {
  test(`${route} holds for what it says`, () => {
    for (const asked of holdsFor) assert.ok(holds(route, asked), `for ${JSON.stringify(asked)}`)
    for (const asked of notFor) assert.ok(!holds(route, asked), `not for ${JSON.stringify(asked)}`)
  })
}

test('a pattern of digits matches at the end of a path, of a host and in the middle', () => {
  assert.ok(holds('Path("/i/<int:x>")', { path: '/i/12' }))
  assert.ok(!holds('Path("/i/<int:x>")', { path: '/i/ab' }))
  assert.ok(holds('Host("a.<int:x>")', { host: 'a.7' }))
})

test('character classes of HostRegexp keep their meaning', () => {
  assert.ok(holds('HostRegexp("^\\\\D+$")', { host: 'abc' }))
  assert.ok(!holds('HostRegexp("^\\\\D+$")', { host: '123' }))
  assert.ok(holds('HostRegexp("^\\\\S+\\\\W\\\\S+$")', { host: 'a.b' }))
})

test('host patterns go together with every other term', () => {
  const asked = { host: 'x', path: '/p', method: 'POST' }

  assert.ok(holds('Host("<h>") && Method("POST") && Path("/p")', asked))
  assert.ok(holds('Path("/<p>") && Method("POST") && Host("x")', asked))
  assert.ok(holds('Method("POST") && Path("/<p>") && Host("<h>")', asked))
})

test('what costs something to find out is not asked for unless host and path hold', () => {
  const table = new RoutingTable<string>()
  table.upsert('1', 'Host("a") && Path("/x") && Header("h", "v")', null, 'header')
  table.upsert('2', 'Host("b") && Query("q")', null, 'query')
  table.upsert('3', 'HostRegexp("^c") && ClientIP("::1")', null, 'ip')
  table.upsert('4', 'Path("/x") && Method("POST") && Header("h", "v")', null, 'post')
  table.upsert('5', 'Host("a")', null, 'plain')
  const unasked = new Proxy(request({}), {
    get(target, key: keyof RoutableRequest) {
      assert.ok(key === 'host' || key === 'path' || key === 'method', `${key} is asked for`)
      return target[key]
    },
  })

  assert.equal(table.match(unasked), 'plain')
})
