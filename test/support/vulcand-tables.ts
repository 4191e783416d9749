/**
 * What vulcand's own tests of middlewares and of the failover predicate assert (facts/vulcand.md 4.3 to 5.5), as data written here:
 * its words in, its meaning out. `docs/migrating/vulcand.md` names what differs.
 */

export interface AttemptFacts {
  readonly attempts: number
  readonly status: number
  readonly method: string
}

const GET = { attempts: 1, status: 200, method: 'GET' }

/** A predicate, what an attempt was, and whether there is another one. */
export const PREDICATES: readonly (readonly [string, AttemptFacts, boolean])[] = [
  ['IsNetworkError()', { ...GET, status: 502 }, true],
  ['IsNetworkError()', { ...GET, status: 504 }, true],
  ['IsNetworkError()', { ...GET, status: 503 }, false],
  ['IsNetworkError()', { ...GET, status: 500 }, false],
  ['IsNetworkError() && Attempts() <= 1', { ...GET, status: 502 }, true],
  ['IsNetworkError() && Attempts() <= 1', { ...GET, status: 502, attempts: 2 }, false],
  ['Attempts() == 1', GET, true],
  ['Attempts() != 1', GET, false],
  ['Attempts() < 2', GET, true],
  ['Attempts() > 1', { ...GET, attempts: 2 }, true],
  ['Attempts() >= 3', { ...GET, attempts: 2 }, false],
  ['ResponseCode() == 405', { ...GET, status: 405 }, true],
  ['ResponseCode() != 405', { ...GET, status: 405 }, false],
  ['ResponseCode() >= 500', { ...GET, status: 500 }, true],
  ['RequestMethod() == "GET"', GET, true],
  ['RequestMethod() == "GET"', { ...GET, method: 'get' }, false],
  ['RequestMethod() != "POST"', GET, true],
  ['RequestMethod() == `PUT`', { ...GET, method: 'PUT' }, true],
  [
    'IsNetworkError() && RequestMethod() == "GET" && Attempts() < 20',
    { ...GET, status: 504, attempts: 19 },
    true,
  ],
  [
    'IsNetworkError() && RequestMethod() == "GET" && Attempts() < 20',
    { ...GET, status: 504, method: 'POST' },
    false,
  ],
  [
    '(IsNetworkError() && Attempts() <= 2) || (ResponseCode() == 500 && Attempts() < 2)',
    { ...GET, status: 500 },
    true,
  ],
  [
    '(ResponseCode() == 502 && Attempts() < 20) || (ResponseCode() == 500 && Attempts() < 3)',
    { ...GET, status: 500, attempts: 3 },
    false,
  ],
  [
    '(ResponseCode() == 502 && Attempts() < 20) || (ResponseCode() == 500 && Attempts() < 3)',
    { ...GET, status: 502, attempts: 10 },
    true,
  ],
  [
    'RequestMethod() == "GET" || Attempts() < 2 && IsNetworkError()',
    { ...GET, method: 'POST', status: 502 },
    true,
  ],
]

export const REFUSED_PREDICATES: readonly string[] = [
  '',
  'bad',
  'Bad()',
  'Bad() && IsNetworkError()',
  'IsNetworkError',
  'IsNetworkError() == 1',
  'IsNetworkError() &&',
  '!IsNetworkError()',
  'Attempts()',
  'Attempts() < "2"',
  'Attempts() < 1.5',
  '2 > Attempts()',
  'ResponseCode() == "500"',
  'RequestMethod() == 1',
  'RequestMethod() > "GET"',
  'RequestMethod() == "GET',
  'Attempts(1) < 2',
  'true',
]

/** Of 10 responses: 2 with 502, 1 with 504, 3 with 500, 4 with 200. A condition, and whether it holds. */
export const RESPONSES: Readonly<Record<number, number>> = { 502: 2, 504: 1, 500: 3, 200: 4 }

export const CONDITIONS: readonly (readonly [string, boolean])[] = [
  ['NetworkErrorRatio() > 0.25', true],
  ['NetworkErrorRatio() > 0.35', false],
  ['NetworkErrorRatio() <= 0.35', true],
  ['ResponseCodeRatio(500, 600, 200, 300) > 1.4', true],
  ['ResponseCodeRatio(500, 600, 0, 600) > 0.59', true],
  ['ResponseCodeRatio(500, 600, 0, 600) > 0.61', false],
  ['ResponseCodeRatio(400, 500, 300, 400) == 0.0', true],
  ['NetworkErrorRatio() > 0.5 || ResponseCodeRatio(200, 300, 0, 600) > 0.35', true],
  ['NetworkErrorRatio() > 0.25 && ResponseCodeRatio(200, 300, 0, 600) > 0.5', false],
]

export const REFUSED_CONDITIONS: readonly string[] = [
  '',
  'Unknown() > 1',
  'NetworkErrorRatio()',
  'NetworkErrorRatio() > "0.5"',
  'LatencyAtQuantileMS() > 20',
  'LatencyAtQuantileMS(50.0)',
  'ResponseCodeRatio(1, 2, 3) > 0.5',
  '0.5 < NetworkErrorRatio()',
  '!NetworkErrorRatio() > 0.5',
]

/** What requests are counted by: a variable, a request, its key. */
export const VARIABLES: readonly (readonly [
  string,
  {
    readonly clientIp?: string
    readonly host?: string
    readonly fields?: Readonly<Record<string, string>>
  },
  string,
])[] = [
  ['client.ip', { clientIp: '10.0.0.1' }, '10.0.0.1'],
  ['request.host', { host: 'localhost' }, 'localhost'],
  ['request.header.X-Header-A', { fields: { 'X-Header-A': 'a' } }, 'a'],
  ['request.header.X-Header-A', {}, ''],
]

export const REFUSED_VARIABLES: readonly string[] = [
  '',
  'client',
  'client.port',
  'request.header.',
  'request.heade.X',
  'request.Host',
]

const limit = { PeriodSeconds: 1, Requests: 10, Burst: 20, Variable: 'client.ip', RateVar: '' }
const fallback = {
  Type: 'response',
  Action: { StatusCode: 400, ContentType: 'text/plain', Body: 'Come back later' },
}
const breaker = { Condition: 'NetworkErrorRatio() > 0.5', Fallback: fallback }
const hook = {
  Type: 'webhook',
  Action: { URL: 'http://localhost', Method: 'POST', Form: { Key: ['Val'] } },
}

/** Type and members of a middleware, and whether its frontend works with it. */
export const MIDDLEWARES: readonly (readonly [string, object, boolean])[] = [
  ['ratelimit', limit, true],
  ['ratelimit', { ...limit, Variable: 'request.host' }, true],
  ['ratelimit', { ...limit, RateVar: 'request.header.X-Rates' }, true],
  ['ratelimit', { ...limit, Requests: 0 }, false],
  ['ratelimit', { ...limit, Requests: -1 }, false],
  ['ratelimit', { ...limit, PeriodSeconds: 0 }, false],
  ['ratelimit', { ...limit, Burst: -1 }, false],
  ['ratelimit', { ...limit, Burst: 0 }, false],
  ['ratelimit', { ...limit, Variable: 'foo' }, false],
  ['ratelimit', { ...limit, RateVar: 'foo' }, false],
  ['ratelimit', { ...limit, Requests: '1' }, false],
  ['connlimit', { Connections: 10, Variable: 'client.ip' }, true],
  ['connlimit', { Connections: 0, Variable: 'client.ip' }, true],
  ['connlimit', { Connections: -1, Variable: 'client.ip' }, false],
  ['connlimit', { Connections: 10, Variable: 'client ip' }, false],
  ['cbreaker', breaker, true],
  ['cbreaker', { ...breaker, Fallback: JSON.stringify(fallback) }, true],
  [
    'cbreaker',
    {
      ...breaker,
      Fallback: { Type: 'redirect', Action: { URL: 'http://localhost:5000', PreservePath: true } },
    },
    true,
  ],
  ['cbreaker', { ...breaker, OnTripped: hook, OnStandby: JSON.stringify(hook) }, true],
  ['cbreaker', { ...breaker, OnTripped: null, OnStandby: '' }, true],
  ['cbreaker', { ...breaker, Condition: 'Bad() > 0.5' }, false],
  ['cbreaker', { ...breaker, Fallback: null }, false],
  ['cbreaker', { ...breaker, Fallback: '' }, false],
  ['cbreaker', { ...breaker, Fallback: '{"Type":"response","Action":{}}' }, false],
  ['cbreaker', { ...breaker, Fallback: { Type: 'redirect', Action: { URL: '' } } }, false],
  ['cbreaker', { ...breaker, OnTripped: { ...hook, Type: 'other' } }, false],
  ['cbreaker', { ...breaker, OnTripped: { Type: 'webhook', Action: { Method: 'POST' } } }, false],
  ['cbreaker', { ...breaker, CheckPeriod: -1 }, false],
  ['cbreaker', { ...breaker, CheckPeriod: '1s' }, false],
  ['rewrite', { Regexp: '^http://localhost/foo(.*)', Replacement: 'http://localhost$1' }, true],
  [
    'rewrite',
    { Regexp: '^/foo(?P<x>.*)', Replacement: '/$x', RewriteBody: true, Redirect: true },
    true,
  ],
  ['rewrite', { Regexp: '[', Replacement: '' }, false],
  ['rewrite', { Regexp: '(?=a)', Replacement: '' }, false],
  ['rewrite', { Regexp: 'a', Replacement: '{{.Request.Header.Get "X-Header"}}' }, true],
  ['rewrite', { Regexp: 'a', Replacement: '{{.Request.Header.Get}}' }, false],
  ['trace', { Addr: 'syslog://localhost:5000', ReqHeaders: ['X-A'], RespHeaders: ['X-B'] }, true],
  ['trace', { Addr: 'syslog://127.0.0.1:514?f=MAIL&sev=INFO&prefix=%40cee%3A%20' }, true],
  ['trace', { Addr: 'syslog:///var/run/log.sock' }, true],
  ['trace', { Addr: '' }, false],
  ['trace', { Addr: 'udp://localhost:5000' }, false],
  ['trace', { Addr: 'syslog://localhost:5000?f=SHMAIL' }, false],
  ['trace', { Addr: 'syslog://localhost:5000?sev=LOUD' }, false],
  ['unknown', {}, false],
]
