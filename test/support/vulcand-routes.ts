/**
 * What is known of vulcand's routes, as tables: routes with the requests that they take, in vulcand's order, and expressions that
 * are refused. Hosts, paths and names are those of the tests of its router, its parser and its trie, and of runs of vulcand.
 */

export interface AskedOf {
  readonly host?: string
  /** As the request line has it, with the query. */
  readonly target: string
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  /** The route that takes it; null: none. */
  readonly route: string | null
  /** What vulcand does, where that is something else. */
  readonly inVulcand?: string
}

export interface RouteTable {
  readonly title: string
  readonly routes: readonly string[]
  readonly asked: readonly AskedOf[]
}

const JSON_TYPE = { 'Content-Type': 'application/json' }
const POST_R1 = { target: '/r1', method: 'POST' }
const H1 = 'Host("h1") && Method("POST") && Path("/r1")'
const H2 = 'Host("h2") && Method("POST") && Path("/r1")'

/** A route that takes one request. */
function one(route: string, asked: Omit<AskedOf, 'route'>): RouteTable {
  return { title: route, routes: [route], asked: [{ ...asked, route }] }
}

export const ROUTE_TABLES: readonly RouteTable[] = [
  {
    title: 'two paths',
    routes: ['Path("/r1")', 'Path("/r2")'],
    asked: [
      { target: '/r1', route: 'Path("/r1")' },
      { target: '/r2', route: 'Path("/r2")' },
      { target: '/r3', route: null },
      { target: '/r1/', route: null },
      { target: '/R1', route: null },
      { target: '/r1?a=/r2', route: 'Path("/r1")' },
    ],
  },
  {
    title: 'two expressions',
    routes: ['PathRegexp("/r1")', 'PathRegexp("/r2")'],
    asked: [
      { target: '/r1', route: 'PathRegexp("/r1")' },
      { target: '/r2', route: 'PathRegexp("/r2")' },
      { target: '/r3', route: null },
      { target: '/xx/r1yy', route: 'PathRegexp("/r1")' },
    ],
  },
  {
    title: 'an expression beside a path',
    routes: ['PathRegexp("/r1")', 'Path("/r2")'],
    asked: [
      { target: '/r1', route: 'PathRegexp("/r1")' },
      { target: '/r2', route: 'Path("/r2")' },
      { target: '/r3', route: null },
    ],
  },
  {
    title: 'the longer path',
    routes: ['Path("/r")', 'Path("/r/hello")'],
    asked: [
      { target: '/r/hello', route: 'Path("/r/hello")' },
      { target: '/r', route: 'Path("/r")' },
    ],
  },
  {
    title: 'methods of one path',
    routes: ['Method("POST") && Path("/r1")', 'Method("GET") && Path("/r1")'],
    asked: [
      { ...POST_R1, route: 'Method("POST") && Path("/r1")' },
      { target: '/r1', route: 'Method("GET") && Path("/r1")' },
      { target: '/r1', method: 'PUT', route: null },
      { target: '/r1', method: 'post', route: null },
    ],
  },
  {
    title: 'hosts with one method and path',
    routes: [H1, H2],
    asked: [
      { ...POST_R1, host: 'h1', route: H1 },
      { ...POST_R1, host: 'H2:8080', route: H2 },
      { target: '/r1', host: 'h2', route: null },
      { target: '/r1', route: null },
    ],
  },
  {
    title: 'a host beside an expression',
    routes: [H1, 'HostRegexp("h2") && Method("POST") && Path("/r1")'],
    asked: [
      { ...POST_R1, host: 'h1', route: H1 },
      { ...POST_R1, host: 'h2', route: 'HostRegexp("h2") && Method("POST") && Path("/r1")' },
    ],
  },
  {
    title: 'a further term about a header',
    routes: [H1, `${H2} && Header("Content-Type", "application/json")`],
    asked: [
      { ...POST_R1, host: 'h1', route: H1 },
      {
        ...{ ...POST_R1, host: 'h2', headers: JSON_TYPE },
        route: `${H2} && Header("Content-Type", "application/json")`,
      },
      { ...POST_R1, host: 'h2', route: null },
    ],
  },
  {
    title: 'a further expression about a header',
    routes: [H1, `${H2} && HeaderRegexp("Content-Type", "application/.*")`],
    asked: [
      { ...POST_R1, host: 'h1', route: H1 },
      {
        ...{ ...POST_R1, host: 'h2', headers: JSON_TYPE },
        route: `${H2} && HeaderRegexp("Content-Type", "application/.*")`,
      },
    ],
  },
  {
    title: 'with a header, and without',
    routes: [H1, `${H1} && Header("Content-Type", "application/json")`],
    asked: [
      {
        ...{ ...POST_R1, host: 'h1', headers: JSON_TYPE },
        route: `${H1} && Header("Content-Type", "application/json")`,
      },
      { ...POST_R1, host: 'h1', route: H1 },
    ],
  },
  {
    title: 'a catch-all of headers below a literal',
    routes: [
      'Header("Content-Type", "<string>/<string>")',
      'Header("Content-Type", "application/json")',
    ],
    asked: [
      {
        ...{ target: '/', headers: JSON_TYPE },
        route: 'Header("Content-Type", "application/json")',
      },
      {
        ...{ target: '/', headers: { 'Content-Type': 'text/html' } },
        route: 'Header("Content-Type", "<string>/<string>")',
      },
      { target: '/', route: null },
    ],
  },
  {
    title: 'no overlap of host, method and path',
    routes: [H1],
    asked: [{ target: '/r1', method: '1POST', host: 'h', route: null }],
  },
  {
    title: 'patterns of versions',
    routes: ['Path("/v<int:version>/domains/<name>")', 'Path("/<version>/domains/<name>")'],
    asked: [
      { target: '/v42/domains/d1', route: 'Path("/v<int:version>/domains/<name>")' },
      { target: '/v42abc/domains/d1', route: 'Path("/<version>/domains/<name>")' },
      { target: '/v42/domains/', route: 'Path("/v<int:version>/domains/<name>")' },
      { target: '/v42/domains/d1/more', route: null },
    ],
  },
  {
    title: 'different patterns of one place',
    routes: ['Path("/a/<name1>/b")', 'Path("/a/<name2>/c")'],
    asked: [
      { target: '/a/bla/b', route: 'Path("/a/<name1>/b")' },
      { target: '/a/bla/c', route: 'Path("/a/<name2>/c")' },
      { target: '/a/', route: null },
    ],
  },
  {
    title: 'digits at the end',
    routes: ['Path("/i/<int:x>")', 'Path("/j/<int:x>/z")'],
    asked: [
      { target: '/i/12', route: 'Path("/i/<int:x>")', inVulcand: 'finds no route' },
      { target: '/j/12/z', route: 'Path("/j/<int:x>/z")' },
      { target: '/j/ab/z', route: null },
    ],
  },
  {
    title: 'literals beside a pattern: letters go before it, digits behind it',
    routes: ['Path("/g/1")', 'Path("/g/<x>")', 'Path("/h/z")', 'Path("/h/<x>")'],
    asked: [
      { target: '/g/1', route: 'Path("/g/<x>")' },
      { target: '/h/z', route: 'Path("/h/z")' },
      { target: '/h/y', route: 'Path("/h/<x>")' },
    ],
  },
  {
    title: 'a branch that another route shares',
    routes: ['Path("/foo/a")', 'Path("/<x>/a")', 'Path("/<x>/b")'],
    asked: [
      { target: '/foo/a', route: 'Path("/foo/a")', inVulcand: 'takes Path("/<x>/a")' },
      { target: '/foo/b', route: 'Path("/<x>/b")' },
    ],
  },
  {
    title: 'terms of which one has a further one between them',
    routes: ['Host("a") && Path("/x")', 'Host("a") && Method("POST") && Path("/x")'],
    asked: [
      { target: '/x', host: 'a', route: 'Host("a") && Path("/x")', inVulcand: 'finds no route' },
      { target: '/x', host: 'a', method: 'POST', route: 'Host("a") && Path("/x")' },
    ],
  },
  {
    title: 'the first function of the text',
    routes: ['Path("/p")', 'Host("mm") && Path("/p")', 'Method("GET")', 'HostRegexp("m")'],
    asked: [
      { target: '/p', host: 'mm', route: 'Path("/p")' },
      { target: '/q', host: 'mm', route: 'Method("GET")' },
      { target: '/q', host: 'mm', method: 'PUT', route: 'HostRegexp("m")' },
    ],
  },
  {
    title: 'an expression for everything hides all hosts',
    routes: ['PathRegexp("/.*")', 'Host("a") && Path("/x")'],
    asked: [{ target: '/x', host: 'a', route: 'PathRegexp("/.*")' }],
  },
  {
    title: 'the longer text of one host',
    routes: ['Host("a")', 'Host("a") && Path("/long")'],
    asked: [
      { target: '/long', host: 'a', route: 'Host("a") && Path("/long")' },
      { target: '/', host: 'a', route: 'Host("a")' },
    ],
  },
  {
    title: 'escapes of a path',
    routes: ['Path("/%61x")', 'Path("/ax/%C3%A9")', 'Path("/a%20b")'],
    asked: [
      { target: '/%61x', route: 'Path("/%61x")' },
      { target: '/ax', route: 'Path("/%61x")', inVulcand: 'finds no route' },
      { target: '/ax/%c3%a9', route: 'Path("/ax/%C3%A9")', inVulcand: 'finds no route' },
      { target: '/a%20b', route: 'Path("/a%20b")' },
    ],
  },
  one('Path("/hello/<world>")', { target: '/hello/world' }),
  one('Method("POST") &&  Path("/helloworld%2F")', { target: '/helloworld%2F', method: 'POST' }),
  one('Method("POST") && Path("/helloworld%2F")', { target: '/helloworld%2F?q=b', method: 'POST' }),
  one('Method("POST") && Path("/hello/<name>")', { target: '/hello/%2F', method: 'POST' }),
  one('Method("POST") && Path("/hello/<path:name>")', { target: '/hello/a/b', method: 'POST' }),
  one('Path("/escaped/<path:name>")', { target: '/escaped/some%2Fpath' }),
  one('Host("<sub>.localhost") && Path("/w")', { host: 'a.localhost', target: '/w' }),
  one('Host("<s1>.<s2>.localhost") && Path("/w")', { host: 'a.b.localhost', target: '/w' }),
  one('Header("content-type", "application/<string>")', { target: '/', headers: JSON_TYPE }),
  one(String.raw`HostRegexp("[^\\.]+\\.localhost") && PathRegexp("/hello.*")`, {
    ...{ host: 'a.localhost', target: '/helloworld' },
  }),
  one('HeaderRegexp("X-Version", `^v[0-9]+$`)', { target: '/', headers: { 'X-Version': 'v2' } }),
  one('HostRegexp(".*\\\\.EXAMPLE\\\\.com") && PathRegexp("^/api/.*")', {
    ...{ host: 'a.example.com', target: '/api/x' },
  }),
  one('(Host("a") && (Path("/x")))', { host: 'a', target: '/x' }),
  one('Host("\\u0061.b")', { host: 'a.b', target: '/' }),
]

/** Refused by vulcand, and here: the text, what is said of it, and where, in characters from 0. */
export const REFUSED: readonly (readonly [text: string, message: string, position: number])[] = [
  ['bad', 'found "bad", expected one of Host', 0],
  ['bad expression', 'found "bad", expected one of Host', 0],
  ['1 && 2', 'found "1", expected a function, "!" or "("', 0],
  ['"alone"', 'found the string "alone", expected a function', 0],
  ['UnknownFunction("hi")', 'found "UnknownFunction", expected one of Host', 0],
  ['Path(1)', 'found "1", expected a string in double or back quotes', 5],
  ['Path()', 'found ")", expected a string', 5],
  ['PathRegexp()', 'found ")", expected a string', 11],
  ['Path(Path("hello"))', 'found "Path", expected a string', 5],
  ['Path("")', 'the path "" must begin with "/"', 5],
  ['PathRegexp("[[[[")', 'not a regular expression of RE2: missing closing ]', 11],
  ['Path("/<uint8:hi>")', '"<uint8:hi>" has an unknown type', 5],
  ['Path("/<string:hi:omg:hello>")', '"<string:hi:omg:hello>" has no valid name', 5],
  ['Path("/a") &&', 'found the end, expected a function', 13],
  ['Path("/a") & Path("/b")', 'found "&", expected "&&"', 11],
  ['Path("/a"', 'found the end, expected "," or ")"', 9],
  ['(Path("/a")', 'to close the "(" at 0', 11],
  ['Path("/a', 'found the end in a string', 5],
  ['Header("X-A")', 'found ")", expected "," as in Header("name", "value")', 12],
  ['HeaderRegexp("X-A", "(?=a)")', 'not a regular expression of RE2', 20],
  ['Path("\\q")', 'found the unknown escape', 6],
  ['', 'found the end, expected a function', 0],
]

/** Refused by vulcand, and taken here. */
export const TAKEN_HERE: readonly string[] = [
  'Path("/path") || Path("/path2")',
  '!Path("/path")',
  'Path("/path", "/path2")',
  'Query("a", "b") && ClientIP("10.0.0.0/8")',
  'PathPrefix("/path")',
]

/** Taken by vulcand, and refused here: no request could meet it, or not in the meaning that it seems to have. */
export const REFUSED_HERE: readonly (readonly [text: string, message: string])[] = [
  ['Path("/v1/<hello")', '"<" opens a pattern that no ">" closes'],
  ['Path("r1")', 'must begin with "/"'],
  ['Path("/a?b=c")', 'holds a query'],
  ['Path("/é")', 'is not ASCII'],
  ['Host("ä.example")', 'is not ASCII; write it in its "xn--" form'],
  ['Host("a.b:80")', 'must have no port'],
  ['Path("/a/<x>b")', 'takes all up to the next "/"'],
]

/** `METHOD path`: each route takes the request of its own method and path. */
export const MANY_ROUTES: readonly string[] = `
GET /authorizations
GET /authorizations/<id>
POST /authorizations
DELETE /authorizations/<id>
GET /applications/<client_id>/tokens/<access_token>
DELETE /applications/<client_id>/tokens
GET /repos/<owner>/<repo>/events
GET /users/<user>/received_events/public
GET /users/<user>/events/orgs/<org>
PUT /notifications
GET /notifications/threads/<id>/subscription
GET /user/starred/<owner>/<repo>
PUT /user/starred/<owner>/<repo>
DELETE /user/subscriptions/<owner>/<repo>
GET /gists
GET /gists/<id>
GET /gists/<id>/star
POST /gists/<id>/forks
GET /repos/<owner>/<repo>/git/blobs/<sha>
POST /repos/<owner>/<repo>/git/blobs
GET /repos/<owner>/<repo>/issues
GET /repos/<owner>/<repo>/issues/<number>
GET /repos/<owner>/<repo>/issues/<number>/comments
DELETE /repos/<owner>/<repo>/issues/<number>/labels/<name>
GET /gitignore/templates/<name>
POST /markdown/raw
GET /orgs/<org>/members/<user>
DELETE /orgs/<org>/public_members/<user>
PUT /teams/<id>/repos/<owner>/<repo>
GET /repos/<owner>/<repo>/pulls/<number>/merge
PUT /repos/<owner>/<repo>/pulls/<number>/merge
GET /repos/<owner>/<repo>
GET /repos/<owner>/<repo>/branches/<branch>
DELETE /repos/<owner>/<repo>/collaborators/<user>
GET /repos/<owner>/<repo>/commits/<sha>/comments
DELETE /repos/<owner>/<repo>/comments/<id>
GET /repos/<owner>/<repo>/contents/<path:path>
`
  .trim()
  .split('\n')
