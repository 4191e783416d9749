// Issue 14: "Every command line of facts/vulcand.md 3.3, replayed as HTTP exchanges": what vctl itself sends, which is more than its
// flags say: a TLS object and "0s" with every backend, "TTL":"0s" without -ttl, empty lists of Go as null.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { daemonEndpoints } from '../../src/admin/vulcand/daemon.ts'
import { vulcandEndpoints } from '../../src/admin/vulcand/endpoints.ts'
import { topEndpoints } from '../../src/admin/vulcand/top.ts'
import type { LogLevel } from '../../src/model/settings.ts'
import { startObjectsSite } from '../support/objects-api.ts'

interface Exchange {
  /** The command line of vctl. */
  readonly line: string
  readonly asks: readonly (readonly [method: string, path: string, body: string | null])[]
  readonly answers: readonly string[]
}

const TLS =
  '{"PreferServerCipherSuites":false,"InsecureSkipVerify":false,"MinVersion":"","MaxVersion":"","SessionTicketsDisabled":false,"SessionCache":{"Type":"","Settings":null},"CipherSuites":null}'
const BACKEND = `{"Id":"b1","Type":"http","Settings":{"Timeouts":{"Read":"0s","Dial":"0s","TLSHandshake":"0s"},"KeepAlive":{"Period":"0s","MaxIdleConnsPerHost":0},"TLS":${TLS}}}`
const LISTENER = `{"Id":"l1","Protocol":"https","Address":{"Network":"tcp","Address":"localhost:11300"},"Scope":"","Settings":{"TLS":${TLS}},"ProxyProtocol":""}`
const HOST =
  '{"Name":"localhost","Settings":{"Default":false,"KeyPair":null,"AutoCert":null,"OCSP":{"Enabled":false,"Period":"1h0m0s","Responders":null,"SkipSignatureCheck":false}}}'
const SERVER = '{"Id":"srv1","URL":"http://localhost:5000"}'
const FRONTEND =
  '{"Id":"fr1","Route":"Path(\\"/path\\")","Type":"http","BackendId":"b1","Settings":{"Limits":{"MaxMemBodyBytes":6144,"MaxBodyBytes":7168},"FailoverPredicate":"IsNetworkError()","Hostname":"host1","TrustForwardHeader":true,"PassHostHeader":false,"Stream":false,"StreamFlushIntervalNanoSecs":0}}'
const RATE =
  '{"Id":"rl1","Priority":1,"Type":"ratelimit","Middleware":{"PeriodSeconds":3,"Requests":10,"Burst":1,"Variable":"client.ip","RateVar":""}}'
const CONN =
  '{"Id":"cl1","Priority":1,"Type":"connlimit","Middleware":{"Connections":10,"Variable":"client.ip"}}'
const REWRITE =
  '{"Id":"rw1","Priority":1,"Type":"rewrite","Middleware":{"Regexp":"^/foo(.*)","Replacement":"$1","RewriteBody":false,"Redirect":false}}'
const TRACE =
  '{"Id":"t1","Priority":1,"Type":"trace","Middleware":{"ReqHeaders":["X-A"],"RespHeaders":["X-B"],"Addr":"syslog://127.0.0.1:514"}}'
const say = (message: string): string => JSON.stringify({ message })

/** In order; each leaves what the next ones need. */
const EXCHANGES: readonly Exchange[] = [
  {
    line: 'log set_severity -s info',
    asks: [['PUT', '/v2/log/severity', 'severity=info']],
    answers: [say('Severity has been updated to info')],
  },
  {
    line: 'log get_severity',
    asks: [['GET', '/v2/log/severity', null]],
    answers: ['{"severity":"info"}'],
  },
  {
    line: 'host upsert -name localhost',
    asks: [['POST', '/v2/hosts', `{"Host":${HOST}}`]],
    answers: [HOST],
  },
  { line: 'host ls', asks: [['GET', '/v2/hosts', null]], answers: [`{"Hosts":[${HOST}]}`] },
  { line: 'host show', asks: [['GET', '/v2/hosts/localhost', null]], answers: [HOST] },
  {
    line: 'host rm -name localhost',
    asks: [['DELETE', '/v2/hosts/localhost', null]],
    answers: [say("Host 'localhost' deleted")],
  },
  {
    line: 'listener upsert -id l1 -proto https -addr localhost:11300',
    asks: [['POST', '/v2/listeners', `{"Listener":${LISTENER}}`]],
    answers: [LISTENER],
  },
  {
    line: 'listener ls',
    asks: [['GET', '/v2/listeners', null]],
    answers: [`{"Listeners":[${LISTENER}]}`],
  },
  { line: 'listener show -id l1', asks: [['GET', '/v2/listeners/l1', null]], answers: [LISTENER] },
  {
    line: 'listener rm -id l1',
    asks: [['DELETE', '/v2/listeners/l1', null]],
    answers: [say('Listener deleted')],
  },
  {
    line: 'backend upsert -id b1',
    asks: [['POST', '/v2/backends', `{"Backend":${BACKEND}}`]],
    answers: [BACKEND],
  },
  {
    line: 'backend ls',
    asks: [['GET', '/v2/backends', null]],
    answers: [`{"Backends":[${BACKEND}]}`],
  },
  {
    line: 'backend show -id b1',
    asks: [
      ['GET', '/v2/backends/b1', null],
      ['GET', '/v2/backends/b1/servers', null],
    ],
    answers: [BACKEND, '{"Servers":[]}'],
  },
  {
    line: 'server upsert -id srv1 -url http://localhost:5000 -b b1',
    asks: [['POST', '/v2/backends/b1/servers', `{"Server":${SERVER},"TTL":"0s"}`]],
    answers: [SERVER],
  },
  {
    line: 'server upsert -id srv1 -url http://localhost:5000 -b b1 -ttl 1h',
    asks: [['POST', '/v2/backends/b1/servers', `{"Server":${SERVER},"TTL":"1h0m0s"}`]],
    answers: [SERVER],
  },
  {
    line: 'server ls -b b1',
    asks: [['GET', '/v2/backends/b1/servers', null]],
    answers: [`{"Servers":[${SERVER}]}`],
  },
  {
    line: 'server show -id srv1 -b b1',
    asks: [['GET', '/v2/backends/b1/servers/srv1', null]],
    answers: [SERVER],
  },
  {
    line: 'frontend upsert -id fr1 -b b1 -route Path("/path") -maxMemBodyKB 6 -maxBodyKB 7 -failoverPredicate IsNetworkError() -trustForwardHeader -forwardHost host1',
    asks: [['POST', '/v2/frontends', `{"Frontend":${FRONTEND},"TTL":"0s"}`]],
    answers: [FRONTEND],
  },
  {
    line: 'frontend ls',
    asks: [['GET', '/v2/frontends', null]],
    answers: [`{"Frontends":[${FRONTEND}]}`],
  },
  {
    line: 'ratelimit upsert -f fr1 -id rl1 -requests 10 -variable client.ip -period 3',
    asks: [['POST', '/v2/frontends/fr1/middlewares', `{"Middleware":${RATE},"TTL":"0s"}`]],
    answers: [RATE],
  },
  {
    line: 'connlimit upsert -f fr1 -id cl1 -connections 10 -variable client.ip',
    asks: [['POST', '/v2/frontends/fr1/middlewares', `{"Middleware":${CONN},"TTL":"0s"}`]],
    answers: [CONN],
  },
  {
    line: 'frontend show -id fr1',
    asks: [
      ['GET', '/v2/frontends/fr1', null],
      ['GET', '/v2/frontends/fr1/middlewares', null],
    ],
    answers: [FRONTEND, `{"Middlewares":[${CONN},${RATE}]}`],
  },
  {
    line: 'rewrite upsert -f fr1 -id rw1 -regexp ^/foo(.*) -replacement $1',
    asks: [['POST', '/v2/frontends/fr1/middlewares', `{"Middleware":${REWRITE},"TTL":"0s"}`]],
    answers: [REWRITE],
  },
  {
    line: 'trace upsert -f fr1 -id t1 -addr syslog://127.0.0.1:514 -reqHeader X-A -respHeader X-B',
    asks: [['POST', '/v2/frontends/fr1/middlewares', `{"Middleware":${TRACE},"TTL":"0s"}`]],
    answers: [TRACE],
  },
  {
    line: 'ratelimit rm -f fr1 -id rl1',
    asks: [['DELETE', '/v2/frontends/fr1/middlewares/rl1', null]],
    answers: [say('Middleware deleted')],
  },
  {
    line: 'top -refresh 0',
    asks: [
      ['GET', '/v2/top/frontends?limit=20', null],
      ['GET', '/v2/top/servers?limit=20', null],
    ],
    answers: ['{"Frontends":[]}', '{"Servers":[]}'],
  },
  {
    line: 'server rm -id srv1 -b b1',
    asks: [['DELETE', '/v2/backends/b1/servers/srv1', null]],
    answers: [say('Server deleted')],
  },
  {
    line: 'frontend rm -id fr1',
    asks: [['DELETE', '/v2/frontends/fr1', null]],
    answers: [say('Frontend deleted')],
  },
  {
    line: 'backend rm -id b1',
    asks: [['DELETE', '/v2/backends/b1', null]],
    answers: [say('Backend deleted')],
  },
]

test('what vctl sends is answered byte for byte', async (t) => {
  let level: LogLevel = 'info'
  const site = await startObjectsSite(t, {
    endpoints: (service) => [
      ...vulcandEndpoints({ service, isInForce: () => false }),
      ...daemonEndpoints({ level: () => level, setLevel: (next) => (level = next) }),
      ...topEndpoints({
        snapshot: () => ({ frontends: new Map(), backends: new Map() }),
        placed: () => ({ frontends: [], backends: [] }),
        readCounts() {},
        now: () => 0,
      }),
    ],
  })

  for (const { line, asks, answers } of EXCHANGES) {
    for (const [at, [method, path, body]] of asks.entries()) {
      const isForm = body?.startsWith('{') === false
      const type = isForm ? 'application/x-www-form-urlencoded' : 'application/json'
      const answer = await site.fetch(path, {
        method,
        headers: body === null ? {} : { 'content-type': type },
        body,
      })

      assert.deepEqual([answer.status, await answer.text()], [200, answers[at]], line)
    }
  }
})
