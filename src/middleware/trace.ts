/**
 * Sends a line of JSON about each finished request of its frontend to syslog or standard output, as vulcand's trace does:
 * `trace: { to: 'syslog://127.0.0.1:514', requestHeaders: [X-Request-Id] }`.
 */
import type { ZodType } from 'zod'
import type { Exchange } from '../http/exchange.ts'
import { TCHAR } from '../model/names.ts'
import { onDemand, type OnDemand } from '../model/on-demand.ts'
import type { Vocabulary } from '../options/vocabulary.ts'
import type { MiddlewareKind } from './middleware.ts'
import { parseDestination } from './trace/destination.ts'
import { canonicalNames, capture, formatTrace } from './trace/record.ts'
import type { senderTo } from './trace/senders.ts'

interface TraceOptions {
  readonly to: string
  readonly requestHeaders: readonly string[]
  readonly responseHeaders: readonly string[]
}

const MOST_HEADERS = 50
const NAME = new RegExp(`^${TCHAR}{1,128}$`)

/** Loads what sends, which only these routes need. */
const client: OnDemand<{ readonly senderTo: typeof senderTo }> = onDemand(
  'what sends traces',
  () => import('./trace/senders.ts'),
)

export const trace: MiddlewareKind<TraceOptions> = {
  kind: 'trace',
  options(words) {
    const { z, strict, meaning } = words
    const form = strict(
      {
        to: z.string().max(1024, 'must not be longer than 1024 characters').meta({
          description:
            'stdout, syslog://HOST:PORT (UDP), syslog:///PATH (a stream socket), or syslog:// for UDP to 127.0.0.1:514. ?f=MAIL&sev=INFO&prefix=TEXT sets facility (LOCAL0), severity (DEBUG) and the text before the JSON ("@cee: ").',
        }),
        requestHeaders: names(words, 'Headers of the request to write down.'),
        responseHeaders: names(words, 'Headers of the response to write down.'),
      },
      'Sends a line about each request to syslog.',
    )
    return meaning(form, (options, complain) => {
      const destination = parseDestination(options.to)
      if (typeof destination === 'string') complain(destination, ['to'])
      return options
    })
  },
  prepare: () => client.load(),
  compile({ to, requestHeaders, responseHeaders }, { onNotice }) {
    const destination = parseDestination(to)
    if (typeof destination === 'string') throw new Error(`a trace was admitted: ${destination}`)
    const sender = client.loaded().senderTo(destination, onNotice)
    const inward = canonicalNames(requestHeaders)
    const outward = canonicalNames(responseHeaders)
    /** What was captured of responses under way. */
    const captured = new WeakMap<Exchange, ReturnType<typeof capture>>()
    return {
      onRequest(exchange, context) {
        // As the client sent them: other middlewares may change them.
        const ofRequest = capture(inward, (name) => textOf(exchange, name))
        context.onEnd(() => {
          const ofResponse = captured.get(exchange)
          captured.delete(exchange)
          const durationMs = performance.now() - exchange.startedAt
          sender.send(formatTrace(exchange, durationMs, ofRequest, ofResponse))
        })
        return null
      },
      ...(outward.length > 0 && {
        onResponse(exchange, { fields }) {
          captured.set(
            exchange,
            capture(outward, () => fields),
          )
        },
      }),
    }
  },
}

function textOf({ head, to }: Exchange, name: string): string {
  return name === 'host' ? `host: ${to.authority}\r\n` : head.textWith(name)
}

function names({ z }: Vocabulary, description: string): ZodType<readonly string[]> {
  return z
    .array(z.string().regex(NAME, 'must be a header name').meta({ description: 'A name.' }))
    .max(MOST_HEADERS, `must hold at most ${MOST_HEADERS}`)
    .default([])
    .meta({ description })
}
