/** The functions that read keys, ask DNS and read the routing table. The cases of confd's documentation are cases of our own here. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makeText, refuseTemplate, type MadeText } from '../../src/rendering/make-text.ts'
import { idOf, type Answer, type Question } from '../../src/template/questions.ts'
import type { TableView } from '../../src/template/table-functions.ts'

const WORLD = { environment: { HOSTNAME: 'localhost' }, now: () => 0 }
const KEYS = {
  '/database/host': '127.0.0.1',
  '/database/password': 'p@sSw0rd',
  '/database/port': '3306',
  '/database/username': 'confd',
  '/key': 'foobar',
  '/upstream/app1': '10.0.1.10:8080',
  '/upstream/app2': '10.0.1.11:8080',
}

interface Given {
  readonly keys?: Readonly<Record<string, string>>
  readonly faults?: Readonly<Record<string, string>>
  readonly answers?: readonly (readonly [Question, Answer])[]
  readonly table?: TableView
}

function make(template: string, given: Given = {}): MadeText {
  const { keys = KEYS, faults = {}, answers = [], table = null } = given
  return makeText(
    {
      template,
      keys: { texts: new Map(Object.entries(keys)), faults: new Map(Object.entries(faults)) },
      answers: new Map(answers.map(([question, answer]) => [idOf(question), answer])),
      table,
    },
    WORLD,
  )
}

function textOf(template: string, given: Given = {}): string {
  const made = make(template, given)
  return made.kind === 'text' ? made.text : `no text: ${JSON.stringify(made)}`
}

function errorOf(template: string, given: Given = {}): string {
  const made = make(template, given)
  return made.kind === 'failed' ? made.reason : `no error: ${JSON.stringify(made)}`
}

test('renders a file of single values', () => {
  const template = `hostname: {{ getenv "HOSTNAME" }}
[database]
host={{ getv "/database/host" }}
password={{ getv "/database/password" }}
port={{ getv "/database/port" }}
username={{ getv "/database/username" }}
`

  assert.equal(
    textOf(template),
    'hostname: localhost\n[database]\nhost=127.0.0.1\npassword=p@sSw0rd\nport=3306\nusername=confd\n',
  )
})

test('renders a part only if its key exists', () => {
  const template = `{{ if exists "/key" }}value: {{ getv "/key" }}{{ end }}
{{- if exists "/doesnotexist" }}not printed: {{ getv "/key" }}{{ end }}
`

  assert.equal(textOf(template), 'value: foobar\n')
})

test('renders a block for each key that a pattern matches, in order', () => {
  const template = `upstream app {
{{- range gets "/upstream/*" }}
  server {{ .Value }};
{{- end }}
}
`

  assert.equal(
    textOf(template),
    'upstream app {\n  server 10.0.1.10:8080;\n  server 10.0.1.11:8080;\n}\n',
  )
})

test('renders blocks within blocks by directories', () => {
  const keys = {
    '/services/web/cust1/1': '{"IP": "10.0.0.1"}',
    '/services/web/cust1/2': '{"IP": "10.0.0.2"}',
    '/services/web/cust2/1': '{"IP": "10.0.0.3"}',
    '/services/web/note': 'no directory',
  }
  const template = `{{range $dir := lsdir "/services/web"}}upstream {{base $dir}} {
{{- $all := printf "/services/web/%s/*" $dir}}{{range gets $all}}
  server {{$data := json .Value}}{{$data.IP}}:80;
{{- end}}
}
{{end}}`

  assert.equal(
    textOf(template, { keys }),
    'upstream cust1 {\n  server 10.0.0.1:80;\n  server 10.0.0.2:80;\n}\nupstream cust2 {\n  server 10.0.0.3:80;\n}\n',
  )
})

test('key functions give what the store of confd gives', () => {
  const keys = {
    '/deis/services/key': 'value',
    '/deis/services/notaservice/foo': 'bar',
    '/deis/services/srv1/node1': '10.244.1.1:80',
    '/deis/services/srv1/node2': '10.244.1.0:80',
    '/deis/services/srv2/node1': '10.244.2.1:80',
    '/deis/prefix/node1': 'a',
    '/deis/prefix/node2/leafnode': 'b',
    '/deis/prefix_a/node4': 'c',
    '/deis/prefixb/node5/leafnode': 'd',
    '/top': 't',
    '/empty': '',
  }
  for (const [template, text] of [
    ['{{get "/top"}} {{(get "/top").Key}}={{(get "/top").Value}}', '{/top t} /top=t'],
    ['{{with get "/top"}}{{base .Key}}{{end}}', 'top'],
    [
      '{{getv "/top"}} {{getv "/none" "else"}}|{{getv "/none" ""}}|{{getv "/empty" "x"}}|',
      't else|||',
    ],
    ['{{getvs "/deis/services/srv1/*"}}', '[10.244.1.0:80 10.244.1.1:80]'],
    [
      '{{range gets "/deis/services/*/node1"}}{{.Key}} {{end}}',
      '/deis/services/srv1/node1 /deis/services/srv2/node1 ',
    ],
    ['{{len (gets "/deis/*")}} {{len (gets "/deis/*/*")}} {{gets "/none/*"}}', '0 3 []'],
    [
      '{{ls "/deis/services"}} {{ls "/deis/services/"}}',
      '[key notaservice srv1 srv2] [key notaservice srv1 srv2]',
    ],
    ['{{ls "/deis/prefix"}} {{ls "/deis/services/key"}}', '[node1 node2] [key]'],
    ['{{ls "/empty/"}}{{ls "/none"}}{{ls ""}}', '[][][]'],
    ['{{ls "/"}}', '[empty top]'],
    ['{{lsdir "/deis/services"}} {{lsdir "/deis/prefix"}}', '[notaservice srv1 srv2] [node2]'],
    ['{{lsdir "/deis"}} {{lsdir "/none"}}', '[prefix prefix_a prefixb services] []'],
    ['{{exists "/top"}} {{exists "/deis"}}', 'true false'],
    ['{{range reverse (gets "/deis/services/srv1/*")}}{{base .Key}} {{end}}', 'node2 node1 '],
    ['{{range sortKVByLength (gets "/*")}}{{.Key}} {{end}}', '/top /empty '],
    ['{{len (sortKVByLength nil)}}{{join nil ","}}', '0'],
  ] as const) {
    assert.equal(textOf(template, { keys }), text, template)
  }
})

test('an error of a key names the line and the key', () => {
  for (const [template, message] of [
    ['a\n{{getv "/none"}}', 'line 2: error calling getv: key does not exist: /none'],
    ['{{get "/none"}}', 'line 1: error calling get: key does not exist: /none'],
    ['{{cgetv "/none"}}', 'line 1: error calling cgetv: key does not exist: /none'],
    ['{{gets "[]a]"}}', 'line 1: error calling gets: syntax error in pattern'],
    ['{{getv "/key" 1}}', 'line 1: wrong type for value; expected string; got int'],
    [
      '{{sortKVByLength (getvs "/*")}}',
      'line 1: wrong type for value; expected []memkv.KVPair; got []string',
    ],
  ] as const) {
    assert.equal(errorOf(template), message)
  }
})

test('a value that is no text is an error where it is read, and nowhere else', () => {
  const faults = { '/key': 'is not UTF-8 text' }

  assert.equal(
    textOf('{{getv "/database/host"}} {{exists "/key"}} {{ls "/"}}', { faults }),
    '127.0.0.1 true [key]',
  )
  assert.equal(
    errorOf('{{getv "/key" "x"}}', { faults }),
    'line 1: error calling getv: the key /key is not UTF-8 text',
  )
  assert.match(errorOf('{{getvs "/*"}}', { faults }), /the key \/key is not UTF-8 text/)
})

test('a template that asks is evaluated again with the answers', () => {
  const template =
    '{{range lookupIP "a.test"}}{{.}} {{end}}{{lookupIPV6 "a.test"}}{{lookupIPV4 "a.test"}}{{cgetv "/key"}}'
  const address = { kind: 'addresses', name: 'a.test' } as const
  const sealed = { kind: 'opened', key: '/key' } as const

  const first = make(template)
  const second = textOf(template, {
    answers: [
      [address, { kind: 'addresses', addresses: ['::1', '10.0.0.2', '10.0.0.10'] }],
      [sealed, { kind: 'opened', text: 'secret' }],
    ],
  })

  assert.deepEqual(first, { kind: 'asks', questions: [address, sealed] })
  assert.equal(second, '10.0.0.10 10.0.0.2 ::1 [::1][10.0.0.10 10.0.0.2]secret')
})

test('what an empty answer breaks is not an error before it is answered', () => {
  const question = { kind: 'addresses', name: 'a.test' } as const

  const made = make('{{index (lookupIP "a.test") 0}}')
  const failed = errorOf('{{index (lookupIP "a.test") 0}}', {
    answers: [[question, { kind: 'addresses', addresses: [] }]],
  })

  assert.deepEqual(made, { kind: 'asks', questions: [question] })
  assert.equal(failed, 'line 1: error calling index: index out of range: 0')
})

test('services of DNS are sorted by all of their fields', () => {
  const question = { kind: 'services', service: 'http', protocol: 'tcp', name: 'b.test' } as const
  const services = [
    { target: 'b2.test.', port: 80, priority: 1, weight: 5 },
    { target: 'b1.test.', port: 81, priority: 1, weight: 5 },
  ]
  const template =
    '{{range lookupSRV "http" "tcp" "b.test"}}{{.Target}}:{{.Port}} {{.Priority}}/{{.Weight}} {{end}}'

  assert.equal(
    textOf(template, { answers: [[question, { kind: 'services', services }]] }),
    'b1.test.:81 1/5 b2.test.:80 1/5 ',
  )
  assert.match(
    errorOf(template, {
      answers: [[question, { kind: 'fault', reason: 'no DNS server responded in time' }]],
    }),
    /error calling lookupSRV: no DNS server responded in time/,
  )
})

const TABLE: TableView = {
  backends: [
    {
      ...{ id: 'vote', balance: 'round-robin', protocol: 'http/1.1', labels: { team: 'cats' } },
      servers: [
        server('v1', 'up', '10.0.0.1'),
        server('v2', 'down', '10.0.0.2'),
        server('v3', 'draining', 'fd00::3'),
      ],
    },
  ],
  frontends: [
    {
      ...{ id: 'web', protocol: 'http', route: 'Host("a.test")', priority: null },
      backend: 'vote',
      labels: {},
    },
  ],
  listeners: [
    {
      ...{ id: 'http', protocol: 'http', address: '0.0.0.0:80', host: '0.0.0.0' },
      port: 80,
      backend: null,
    },
  ],
}

function server(
  id: string,
  state: string,
  host: string,
): TableView['backends'][number]['servers'][number] {
  const url = `http://${host}:80`
  return {
    ...{ id, state, host, url, scheme: 'http', port: 80, weight: 2 },
    isBackup: false,
    labels: {},
  }
}

test('the routing table and the states of its servers can be read', () => {
  for (const [template, text] of [
    [
      '{{range backends}}{{.Id}} {{.Balance}} {{.Labels.team}}:{{range .Servers}} {{.Address}}={{.State}}{{end}}{{end}}',
      'vote round-robin cats: 10.0.0.1:80=up 10.0.0.2:80=down [fd00::3]:80=draining',
    ],
    ['{{range usableServers "vote"}}{{.Id}} {{.Usable}} {{.Weight}}{{end}}', 'v1 true 2'],
    ['{{len (servers "vote")}} {{len (backend "vote").Usable}} {{hasBackend "x"}}', '3 1 false'],
    ['{{range frontends}}{{.Id}} {{.Route}} {{.Backend}}{{end}}', 'web Host("a.test") vote'],
    [
      '{{(frontend "web").Priority}} {{range listeners}}{{.Address}} {{.Port}}{{end}}',
      '0 0.0.0.0:80 80',
    ],
  ] as const) {
    assert.equal(textOf(template, { table: TABLE }), text, template)
  }
  assert.match(
    errorOf('{{servers "x"}}', { table: TABLE }),
    /error calling servers: there is no backend "x"/,
  )
  assert.match(
    errorOf('{{(backend "vote").Nope}}', { table: TABLE }),
    /cannot evaluate field Nope in type sluice.Backend/,
  )
})

test('a function without what it reads says what it needs', () => {
  assert.equal(
    refuseTemplate('a\n{{getv "/x"}}', { keys: false, table: true }),
    'line 2: function "getv" not defined: it needs keys and a source of them',
  )
  assert.match(
    refuseTemplate('{{backends}}', { keys: true, table: false }) ?? '',
    /there is no routing table here/,
  )
  assert.match(
    errorOf('{{servers "vote"}}'),
    /function "servers" not defined: there is no routing table here/,
  )
  assert.equal(refuseTemplate('{{getv "/x"}}{{backends}}', { keys: true, table: true }), null)
})

test('an error is one short line, whatever a key holds', () => {
  const keys = { '/long': 'x'.repeat(1024 ** 2), '/lines': 'a\nerror: b\u001b[31m' }

  const long = errorOf('{{getv (getv "/long")}}', { keys })
  const lines = errorOf('{{getv (getv "/lines")}}', { keys })

  assert.ok(long.length < 400, String(long.length))
  assert.match(long, /^line 1: error calling getv: key does not exist: x+\.\.\.$/)
  assert.equal(lines, 'line 1: error calling getv: key does not exist: a\\u000aerror: b\\u001b[31m')
})
