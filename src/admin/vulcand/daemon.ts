/** vulcand's endpoints of the program itself: log severity, and the profile that only Go has. */
import type { IncomingHttpHeaders } from 'node:http'
import type { LogLevel } from '../../model/settings.ts'
import { type Endpoint, jsonOf, reading } from '../endpoint.ts'
import { map, text } from '../openapi/schema.ts'
import { MESSAGE } from '../openapi/shapes.ts'
import { toText } from '../body.ts'
import { answerOf, messageAnswer } from '../vulcand-answer.ts'

export interface DaemonOptions {
  readonly level: () => LogLevel
  readonly setLevel: (level: LogLevel) => void
}

/** Names of logrus, and the level here. */
const SEVERITIES: Readonly<Record<string, LogLevel>> = {
  panic: 'fatal',
  fatal: 'fatal',
  error: 'error',
  warning: 'warn',
  warn: 'warn',
  info: 'info',
  debug: 'debug',
  trace: 'trace',
}

export function daemonEndpoints({ level, setLevel }: DaemonOptions): readonly Endpoint[] {
  let written: string | null = null
  return [
    reading(
      '/v2/pprof/heap',
      'vulcand: the heap of Go, which this program has not',
      () =>
        messageAnswer(
          501,
          'there is no profile of Go: this program runs on Node, see docs/operating.md',
        ),
      { answers: { 501: 'there is no profile of Go' }, gives: jsonOf(MESSAGE) },
    ),
    reading(
      '/v2/log/severity',
      'vulcand: the least severe level that is logged',
      () => {
        const isCurrent = written !== null && SEVERITIES[written] === level()
        return answerOf(200, { severity: isCurrent ? written : severityOf(level()) })
      },
      { gives: jsonOf(map({ severity: text })) },
    ),
    {
      method: 'PUT',
      path: '/v2/log/severity',
      needs: 'write',
      summary: 'vulcand: changes it until the file changes it or the program ends',
      query: { severity: 'panic, fatal, error, warning, info, debug or trace' },
      body: {
        types: ['', 'application/x-www-form-urlencoded', 'multipart/form-data', 'application/json'],
        description: 'severity=info, as a form, unless it is in the query',
        maxBytes: 4096,
      },
      answers: { 200: 'it is in force', 400: 'there is no such severity' },
      gives: jsonOf(MESSAGE),
      run(call) {
        const wanted = call.query.get('severity') ?? fromForm(call.headers, call.body)
        const name = wanted.toLowerCase()
        const next = Object.hasOwn(SEVERITIES, name) ? SEVERITIES[name] : undefined
        if (next === undefined) {
          return messageAnswer(400, `not a valid logrus Level: ${JSON.stringify(name)}`)
        }
        written = name === 'warn' ? 'warning' : name
        setLevel(next)
        call.audit({ severity: written }, `log severity is ${written}`)
        return messageAnswer(200, `Severity has been updated to ${written}`)
      },
    },
  ]
}

function severityOf(level: LogLevel): string {
  if (level === 'warn') return 'warning'
  return level === 'silent' ? 'panic' : level
}

function fromForm(
  { 'content-type': type = '' }: Pick<IncomingHttpHeaders, 'content-type'>,
  body: Buffer,
): string {
  const text = toText(body)
  if (!/^multipart\//i.test(type)) return new URLSearchParams(text).get('severity') ?? ''
  return /name="severity"[^]*?\r?\n\r?\n([^\r\n]*)/.exec(text)?.[1] ?? ''
}
