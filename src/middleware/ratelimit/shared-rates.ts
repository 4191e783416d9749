/**
 * Rates that several instances share: the algorithm of policy/limiting/token-bucket.ts as a script in Redis, with the clock of
 * Redis. Keys are hashed, so that they are short and hold no secrets of clients. A bucket belongs to the prefix, the frontend's
 * id, the key and the rate.
 */
import { hash } from 'node:crypto'
import type { KeyedRate, RateDecision } from '../../policy/limiting/rate-limit.ts'
import { toMs } from '../../model/units.ts'
import { createRedisLinks } from './redis-links.ts'

/** The script counts tenths of microseconds: exact for the fastest rate, and integers in a double until 2052. */
const UNITS_PER_MS = 10_000

/** KEYS: one for each rate. ARGV: interval and burst of each. Writes only if all rates accept. */
const SCRIPT = `
local time = redis.call('TIME')
local now = (time[1] - 1700000000) * 10000000 + time[2] * 10
local debts, retry, remaining, reset, which = {}, 0, -1, 0, 1
for i, key in ipairs(KEYS) do
  local interval, burst = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local debt = (tonumber(redis.call('GET', key) or now) or now) - now
  debt = math.min(math.max(debt, 0), interval * burst) + interval
  local over = debt - interval * burst
  if over > 0 then
    if over > retry then retry, remaining, reset, which = over, 0, debt - interval, i end
  elseif retry == 0 then
    local left = math.floor(-over / interval)
    if remaining < 0 or left < remaining then remaining, reset, which = left, debt, i end
  end
  debts[i] = debt
end
if retry == 0 then
  for i, key in ipairs(KEYS) do
    redis.call('SET', key, string.format('%.0f', now + debts[i]), 'PX', string.format('%.0f', math.ceil(debts[i] / 10000)))
  end
end
return { retry, remaining, reset, which }
`

/** The admitted option `redis`; `timeout` is a duration as text. */
export interface RedisOptions {
  readonly url: string
  readonly prefix: string
  readonly timeout: string
  readonly onFailure: 'local' | 'allow' | 'deny'
}

export interface SharedRates {
  /** False if Redis is not used now; else `done` is called once, later, with null if it did not respond in time. */
  request(
    key: string,
    rates: readonly KeyedRate[],
    done: (decision: RateDecision | null) => void,
  ): boolean
}

/** The connections of this worker. */
const links = createRedisLinks({
  script: SCRIPT,
  now: () => performance.now(),
  idleMs: 60_000,
  backoffMs: 1_000,
})

/** `onNotice`: passes on when the rates are no longer shared, and when they are shared again. */
export function createSharedRates(
  options: RedisOptions,
  owner: string,
  onNotice: (notice: string) => void,
): SharedRates {
  const { url, prefix } = options
  const timeoutMs = toMs(options.timeout)
  links.open(url, onNotice)
  return {
    request(key, rates, done) {
      // The braces make the hash slot of a cluster depend on this part alone.
      const name = `${prefix}{${hash('sha256', `${owner} ${key}`, 'base64url').slice(0, 22)}}`
      const words: (string | number)[] = rates.map(
        ({ requests, periodMs, burst }) => `${name}:${requests}/${periodMs}/${burst}`,
      )
      for (const { requests, periodMs, burst } of rates)
        words.push(Math.ceil((periodMs * UNITS_PER_MS) / requests), burst)
      return links.run(url, onNotice, timeoutMs, rates.length, words, (reply) =>
        done(toDecision(reply, rates)),
      )
    },
  }
}

function toDecision(reply: unknown, rates: readonly KeyedRate[]): RateDecision | null {
  if (!Array.isArray(reply)) return null
  const [retry, remaining, reset, which] = reply.map(Number)
  const rate = rates[(which ?? NaN) - 1]
  if (rate === undefined || retry === undefined || remaining === undefined || reset === undefined)
    return null
  const retryAfterMs = retry / UNITS_PER_MS
  return { ok: retry === 0, remaining, retryAfterMs, resetMs: reset / UNITS_PER_MS, rate }
}
