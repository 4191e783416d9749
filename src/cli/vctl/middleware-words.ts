/** The words of the middlewares, as vctl has them: each kind is a command. */
import type { JsonMap } from '../../model/parsed.ts'
import type { CommandSpec, Flag, Flags, Words } from '../spec.ts'
import type { VctlCommand } from './command.ts'
import {
  allOf,
  FRONTEND_FLAG,
  idFlag,
  nanosecondsOf,
  required,
  TTL,
  ttlOf,
  wholeOf,
} from './flags.ts'
import { specsOf } from './specs.ts'

interface MiddlewareKind {
  readonly type: string
  readonly flags: Flags
  readonly options: (words: Words) => JsonMap
  readonly examples: readonly string[]
}

const VARIABLE: Flag = {
  value: 'VARIABLE',
  text: 'what is counted: client.ip, request.host or request.header.NAME',
  default: 'client.ip',
  aliases: ['var'],
  completes: ['client.ip', 'request.host'],
}

const KINDS: readonly MiddlewareKind[] = [
  {
    type: 'ratelimit',
    flags: {
      period: { value: 'SECONDS', text: 'of the limit', default: '1' },
      requests: { value: 'N', text: 'in each period', default: '1' },
      burst: { value: 'N', text: 'at once', default: '1' },
      variable: VARIABLE,
      rateVar: { value: 'VARIABLE', text: 'where rates are read from: request.header.NAME' },
    },
    options: (words) => ({
      PeriodSeconds: wholeOf(words, 'period', 1),
      Requests: wholeOf(words, 'requests', 1),
      Burst: wholeOf(words, 'burst', 1),
      Variable: words.flags['variable'] ?? 'client.ip',
      RateVar: words.flags['rateVar'] ?? '',
    }),
    examples: ['sluice ratelimit upsert --id r1 -f f1 --requests 100 --period 1 --burst 20'],
  },
  {
    type: 'connlimit',
    flags: {
      variable: VARIABLE,
      connections: { value: 'N', text: 'at once', default: '1', aliases: ['conns'] },
    },
    options: (words) => ({
      Connections: wholeOf(words, 'connections', 1),
      Variable: words.flags['variable'] ?? 'client.ip',
    }),
    examples: ['sluice connlimit upsert --id c1 -f f1 --connections 10'],
  },
  {
    type: 'rewrite',
    flags: {
      regexp: { value: 'REGEXP', text: 'of the URL' },
      replacement: { value: 'TEXT', text: 'what it becomes; $1 is the first group' },
      rewriteBody: { value: '', text: 'replaces variables in the response' },
      redirect: { value: '', text: 'redirects the client there' },
    },
    options: ({ flags }) => ({
      Regexp: flags['regexp'] ?? '',
      Replacement: flags['replacement'] ?? '',
      RewriteBody: 'rewriteBody' in flags,
      Redirect: 'redirect' in flags,
    }),
    examples: [`sluice rewrite upsert --id w1 -f f1 --regexp '^/old/(.*)' --replacement '/new/$1'`],
  },
  {
    type: 'cbreaker',
    flags: {
      condition: { value: 'CONDITION', text: `when it trips: 'NetworkErrorRatio() > 0.5'` },
      fallback: { value: 'JSON', text: 'what clients get then' },
      onTripped: { value: 'JSON', text: 'done when it trips' },
      onStandby: { value: 'JSON', text: 'done when it has recovered' },
      fallbackDuration: { value: 'DURATION', text: 'of the fallback', default: '10s' },
      recoveryDuration: { value: 'DURATION', text: 'until all requests pass', default: '10s' },
      checkPeriod: { value: 'DURATION', text: 'between two checks', default: '100ms' },
    },
    options: (words) => ({
      Condition: words.flags['condition'] ?? '',
      Fallback: words.flags['fallback'] ?? null,
      OnTripped: words.flags['onTripped'] ?? null,
      OnStandby: words.flags['onStandby'] ?? null,
      FallbackDuration: nanosecondsOf(words, 'fallbackDuration', '10s'),
      RecoveryDuration: nanosecondsOf(words, 'recoveryDuration', '10s'),
      CheckPeriod: nanosecondsOf(words, 'checkPeriod', '100ms'),
    }),
    examples: [
      `sluice cbreaker upsert --id cb1 -f f1 --condition 'NetworkErrorRatio() > 0.5' --fallback '{"Type":"response","Action":{"StatusCode":503,"Body":"later"}}'`,
    ],
  },
  {
    type: 'trace',
    flags: {
      addr: { value: 'URL', text: 'where lines are sent: syslog://HOST:PORT' },
      reqHeader: { value: 'NAME', text: 'a header of requests', isRepeated: true },
      respHeader: { value: 'NAME', text: 'a header of responses', isRepeated: true },
    },
    options: (words) => ({
      ReqHeaders: listOf(words, 'reqHeader'),
      RespHeaders: listOf(words, 'respHeader'),
      Addr: words.flags['addr'] ?? '',
    }),
    examples: ['sluice trace upsert --id t1 -f f1 --addr syslog://127.0.0.1:514'],
  },
]

function listOf(words: Words, name: string): readonly string[] | null {
  const all = allOf(words, name)
  return all.length === 0 ? null : all
}

export const MIDDLEWARE_SPECS: readonly CommandSpec<VctlCommand>[] = KINDS.flatMap(
  ({ type, flags, options, examples }) =>
    specsOf({
      word: type,
      kind: 'middleware',
      id: ['id', idFlag('middleware')],
      owner: ['frontend', FRONTEND_FLAG],
      upsert: {
        flags: {
          ...flags,
          priority: { value: 'N', text: 'middlewares of lower numbers run earlier', default: '1' },
          ttl: TTL,
        },
        examples,
        object: (words) => ({
          object: {
            Id: required(words, 'id', `${type} upsert`),
            Priority: wholeOf(words, 'priority', 1),
            Type: type,
            Middleware: options(words),
          },
          ttl: ttlOf(words),
          keyPair: null,
        }),
      },
      done: { upsert: `${type} upserted`, rm: () => `${type} deleted` },
    }),
)
