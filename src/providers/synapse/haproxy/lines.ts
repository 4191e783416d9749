/**
 * Lines of HAProxy: those of `defaults`, and of `listen`, `frontend` and `backend` of a service. What has a counterpart is
 * translated. What has none is noted, and a line that keeps clients out refuses the service.
 */
import { quote } from '../../../model/parsed.ts'
import { noCounterpart, readCount, readSpan, type Draft, type SpanName } from './draft.ts'
import { readHttpCheckExpect, readHttpCheckOption, readHttpCheckSend } from './http-check.ts'
import { readServerOptions } from './server-options.ts'

type Words = readonly string[]
type Read = (draft: Draft, words: Words, line: string) => void

const LINES: Readonly<Record<string, Read>> = {
  mode(draft, [, mode = ''], line) {
    if (mode === 'http' || mode === 'tcp') draft.mode = mode
    else draft.notes.refusals.push(`${quote(line)}: there are the modes http and tcp`)
  },
  balance: readBalance,
  option: readOption,
  timeout(draft, [, name = '', text], line) {
    readTimeout(draft, name, text, line)
  },
  contimeout: (draft, [, text], line) => readTimeout(draft, 'connect', text, line),
  clitimeout: (draft, [, text], line) => readTimeout(draft, 'client', text, line),
  srvtimeout: (draft, [, text], line) => readTimeout(draft, 'server', text, line),
  retries(draft, [, text]) {
    draft.retries = readCount(text) ?? draft.retries
  },
  maxconn(draft, [, text]) {
    draft.connections = readCount(text) ?? draft.connections
  },
  cookie: readCookie,
  'http-check': readHttpCheck,
  'default-server'(draft, [, ...options]) {
    readServerOptions(options.join(' '), draft.servers, draft.notes)
  },
  disabled: (draft) => draft.notes.refusals.push('it is disabled'),
  no(draft, [, ...words]) {
    if (words[1] === 'httpchk') draft.httpCheck = null
  },
  acl: (draft, _words, line) =>
    draft.notes.hints.push(
      `${quote(line)} does nothing by itself; the lines that name it are listed`,
    ),
  use_backend: (draft, _words, line) =>
    draft.notes.warnings.push(
      noCounterpart(
        line,
        'requests that it is for go to the backend of the service: declare a frontend for them',
      ),
    ),
}

/** Its place is taken by something of Sluice. */
const NOT_NEEDED: Readonly<Record<string, string>> = {
  ...listed(
    'log log-format log-tag log-format-sd capture unique-id-format',
    'the access log has it',
  ),
  ...listed('stats monitor-uri monitor-net monitor', "the admin's API has it"),
  ...listed('id description bind-process nbproc fullconn backlog http-reuse grace', ''),
  ...listed('hash-type load-server-state-from-file server-state-file-name enabled', ''),
}

/** What keeps clients out by its name alone. */
const GUARDS = /^(?:block|req(?:i)?(?:deny|tarpit)|rsp(?:i)?deny)$/
const GUARDING_RULES = /^(?:http-request|http-response|tcp-request|tcp-response)$/
const GUARDING_ACTIONS: ReadonlySet<string> = new Set([
  ...['deny', 'tarpit', 'reject', 'auth', 'silent-drop'],
])
const CHANGING = /^(?:http-request|http-response|req\w+|rsp\w+|redirect|errorfile|errorloc\w*)$/

/** Options that change nothing here, or that Sluice does anyway. */
const USUAL_OPTIONS: ReadonlySet<string> = new Set([
  ...['httplog', 'tcplog', 'dontlognull', 'dontlog-normal', 'log-health-checks'],
  ...['log-separate-errors', 'logasap', 'redispatch', 'forwardfor', 'http-server-close'],
  ...['http-keep-alive', 'http-tunnel', 'httpclose', 'forceclose', 'http-pretend-keepalive'],
  ...['tcpka', 'clitcpka', 'srvtcpka', 'tcp-smart-accept', 'tcp-smart-connect', 'nolinger'],
  ...['splice-auto', 'splice-request', 'splice-response', 'contstats', 'socket-stats'],
  ...['prefer-last-server', 'allbackups', 'abortonclose', 'accept-invalid-http-request'],
  ...['accept-invalid-http-response', 'http-no-delay', 'http-ignore-probes', 'independent-streams'],
  ...['http-use-htx', 'http-buffer-request', 'idle-close-on-response', 'originalto'],
])
/** Probes in the protocol of a program. */
const OTHER_CHECKS: ReadonlySet<string> = new Set([
  ...['tcp-check', 'redis-check', 'mysql-check', 'pgsql-check', 'ssl-hello-chk', 'smtpchk'],
  ...['ldap-check', 'external-check', 'spop-check'],
])

export function readLine(draft: Draft, written: string): void {
  const line = written.trim().replace(/\s+/g, ' ')
  if (line === '' || line.startsWith('#')) return
  const words = line.split(' ')
  const first = (words[0] ?? '').toLowerCase()
  const { warnings, hints, refusals } = draft.notes
  if (
    GUARDS.test(first) ||
    (GUARDING_RULES.test(first) && words.some((one) => GUARDING_ACTIONS.has(one)))
  ) {
    refusals.push(
      `${quote(line)} keeps clients out and has no counterpart here: without it they would be let in`,
    )
  } else if (Object.hasOwn(LINES, first)) LINES[first]?.(draft, words, line)
  else if (Object.hasOwn(NOT_NEEDED, first)) {
    const help = NOT_NEEDED[first] ?? ''
    hints.push(`${quote(line)} is not needed${help === '' ? '' : `: ${help}`}`)
  } else if (CHANGING.test(first)) {
    warnings.push(
      noCounterpart(
        line,
        'declare a frontend with the middleware headers, redirect or respond instead',
      ),
    )
  } else warnings.push(noCounterpart(line))
}

function listed(words: string, help: string): Readonly<Record<string, string>> {
  return Object.fromEntries(words.split(' ').map((word) => [word, help]))
}

function readTimeout(draft: Draft, name: string, text: string | undefined, line: string): void {
  const ms = readSpan(text)
  if (ms === null) draft.notes.warnings.push(`${quote(line)} cannot be read`)
  else if (isSpanName(name)) draft.spans[name] = ms
  else draft.notes.hints.push(`${quote(line)} is not needed`)
}

function isSpanName(name: string): name is SpanName {
  return [
    'connect',
    'client',
    'server',
    'tunnel',
    'http-request',
    'http-keep-alive',
    'check',
  ].includes(name)
}

function readBalance(draft: Draft, [, algorithm = '', argument = '']: Words, line: string): void {
  const header = /^hdr\(([^()]+)\)$/i.exec(algorithm)?.[1]
  if (header !== undefined) draft.balance = hash({ from: 'header', name: header })
  else if (algorithm === 'roundrobin' || algorithm === 'static-rr') {
    draft.balance = { balance: 'round-robin' }
  } else if (algorithm === 'leastconn') draft.balance = { balance: 'least-connections' }
  else if (algorithm === 'source') draft.balance = hash({ from: 'client-ip' })
  else if (algorithm === 'uri') draft.balance = hash({ from: 'path' })
  else if (algorithm === 'url_param') draft.balance = hash({ from: 'query', name: argument })
  else if (algorithm.startsWith('random')) draft.balance = { balance: 'random' }
  else if (algorithm !== '') {
    draft.notes.warnings.push(noCounterpart(line, 'round-robin is used'))
  }
}

function hash(options: object): Draft['balance'] {
  return { balance: 'hash', hash: options }
}

function readOption(draft: Draft, words: Words, line: string): void {
  const name = words[1] ?? ''
  if (name === 'httpchk') draft.httpCheck = readHttpCheckOption(words.slice(2), draft.httpCheck)
  else if (OTHER_CHECKS.has(name)) {
    draft.notes.warnings.push(
      noCounterpart(line, 'a server that accepts a connection counts as healthy'),
    )
  } else if (USUAL_OPTIONS.has(name)) draft.notes.hints.push(`${quote(line)} is not needed`)
  else draft.notes.warnings.push(noCounterpart(line))
}

function readCookie(draft: Draft, [, name = '', ...how]: Words, line: string): void {
  if (how.includes('insert')) draft.cookie = name
  else draft.notes.warnings.push(noCounterpart(line, 'of cookies there is insert'))
}

function readHttpCheck(draft: Draft, words: Words, line: string): void {
  const [, what = '', ...rest] = words
  const read =
    what === 'expect' ? readHttpCheckExpect(rest) : what === 'send' ? readHttpCheckSend(rest) : null
  if (read === null) draft.notes.warnings.push(noCounterpart(line))
  else draft.httpCheck = { ...draft.httpCheck, ...read }
}
