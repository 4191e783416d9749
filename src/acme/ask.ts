/**
 * Whether a name may have a certificate on demand: `GET ask?domain=NAME`, and 2xx permits it. Any client can name any domain in a
 * ClientHello, so that refusals are remembered, few names are asked for at a time, and few are permitted in one minute.
 */
import { parseName } from '../model/acme-names.ts'
import { messageOf } from '../model/error-message.ts'
import { parseIp } from '../model/ip.ts'
import { onDemand } from '../model/on-demand.ts'
import { escapeControls, quote } from '../model/parsed.ts'

export interface AskOptions {
  readonly url: string
  /** New names that are permitted in one minute. */
  readonly perMinute: number
  /** A warning for the log. */
  readonly warn: (text: string) => void
  /** ms, monotonic. */
  readonly now: () => number
  readonly signal: AbortSignal
}

export interface Ask {
  /** Of a name that a client waits for. Null: it is permitted; otherwise why not. */
  refusal(name: string): Promise<string | null>
  /** Of a name with a certificate: whether it is still permitted. Rejects if the URL does not say. */
  permits(name: string): Promise<boolean>
}

const httpClient = onDemand(
  'the client of acme.onDemand',
  () => import('../providers/http-client/http-client.ts'),
)

const TIMEOUT_MS = 10_000
const MINUTE_MS = 60_000
const MAX_UNDER_WAY = 5
const REFUSED_MS = 300_000
/** A server that is away is asked again soon. */
const FAILED_MS = 10_000
const MAX_REFUSED = 10_000
const MAX_BYTES = 65_536

export function createAsk({ url, perMinute, warn, now, signal }: AskOptions): Ask {
  const { origin, pathname, search } = new URL(url)
  /** When the name may be asked for again. */
  const refused = new Map<string, number>()
  const underWay = new Map<string, Promise<string | null>>()
  /** When names were permitted within the last minute. */
  let permitted: number[] = []
  let warnedAt = -Infinity

  async function isPermitted(name: string): Promise<boolean> {
    const { createHttpClient } = await httpClient.load()
    const http = createHttpClient({ what: 'acme.onDemand.ask', origin, connections: 1 })
    try {
      const path = `${pathname}${search === '' ? '?' : `${search}&`}domain=${encodeURIComponent(name)}`
      // Redirects are not followed, so that they permit nothing.
      const { status } = await http.text(path, {
        signal,
        timeoutMs: TIMEOUT_MS,
        accept: 'all',
        maxBytes: MAX_BYTES,
      })
      if (status >= 500) throw new Error(`it responds with ${status}`)
      return status >= 200 && status < 300
    } finally {
      http.close()
    }
  }

  function remember(name: string, ms: number): void {
    refused.delete(name)
    refused.set(name, now() + ms)
    const [oldest] = refused.keys()
    if (refused.size > MAX_REFUSED && oldest !== undefined) refused.delete(oldest)
  }

  function warnSometimes(text: string): void {
    if (now() - warnedAt < MINUTE_MS) return
    warnedAt = now()
    warn(text)
  }

  async function decide(name: string): Promise<string | null> {
    try {
      if (!(await isPermitted(name))) {
        remember(name, REFUSED_MS)
        return 'acme.onDemand.ask refuses it'
      }
    } catch (error) {
      remember(name, FAILED_MS)
      const reason = escapeControls(messageOf(error))
      warnSometimes(`acme.onDemand.ask cannot be asked for ${quote(name)}: ${reason}`)
      return 'acme.onDemand.ask does not respond'
    }
    permitted = permitted.filter((at) => now() - at < MINUTE_MS)
    if (permitted.length >= perMinute) {
      warnSometimes(
        `${quote(name)} waits for its certificate: ${perMinute} names were ordered within a minute (acme.onDemand.perMinute)`,
      )
      return 'too many names are ordered at the moment'
    }
    permitted.push(now())
    return null
  }

  return {
    async refusal(name) {
      if (!isOrderable(name)) return 'it is no name of a domain'
      const until = refused.get(name)
      if (until !== undefined && until > now()) return 'it was refused a short time ago'
      const joined = underWay.get(name)
      if (joined !== undefined) return joined
      if (underWay.size >= MAX_UNDER_WAY) return 'too many names are asked for at the moment'
      const asking = decide(name).finally(() => underWay.delete(name))
      underWay.set(name, asking)
      return asking
    },
    permits: isPermitted,
  }
}

/** A domain of at least two labels, which is no wildcard and no address: what a client may name. */
export function isOrderable(name: string): boolean {
  if (!name.includes('.') || name.startsWith('*') || parseIp(name) !== null) return false
  return name === name.toLowerCase() && parseName(name).ok
}
