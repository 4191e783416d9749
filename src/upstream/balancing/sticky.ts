/**
 * Sticky sessions: a cookie names the server that responded to a client first, and the client comes back to it. The value is an
 * HMAC over backend and URL, so that it reveals nothing and cannot be forged; an unknown value is ignored. All values are
 * computed when the pool changes: a request costs one map lookup.
 *
 * A client stays with its server while that is available: during slow start, and on a backup server after the primaries have
 * recovered (as in HAProxy, where a session is worth more than the tier). If it is unavailable, the balancer picks another one,
 * and the response sets a new cookie.
 */
import { createHmac } from 'node:crypto'
import type { Exchange } from '../../http/exchange.ts'
import type { Sticky } from '../../model/snapshot.ts'
import { SHARED } from '../../scoreboard/layout.ts'
import { sharedAdd } from '../../scoreboard/scoreboard.ts'
import type { BalancedRequest, IsIneligible } from './balancer.ts'
import { cookieValues } from './cookies.ts'
import type { Endpoint } from '../endpoint/endpoint.ts'

const VALUE_BYTES = 16
/** Browsers send one, or one per path. */
const MAX_VALUES = 4

export class Stickiness {
  readonly #key: Buffer | string
  readonly #backend: string
  readonly #cookie: string
  /** What follows the value in the Set-Cookie line, for clients of http and of https. */
  readonly #plain: string
  readonly #secure: string
  readonly #values = new Map<string, string>()
  readonly #endpoints = new Map<string, Endpoint>()

  /** `before`: of the same pool; its values are reused if the key is the same. */
  constructor(
    backend: string,
    sticky: Sticky,
    processKey: Buffer,
    endpoints: readonly Endpoint[],
    before: Stickiness | null,
  ) {
    this.#backend = backend
    this.#key = sticky.secret ?? processKey
    this.#cookie = sticky.cookie
    const attributes = attributesOf(sticky)
    this.#secure = `; Secure${attributes}\r\n`
    // Browsers refuse `SameSite=None` without Secure.
    this.#plain = sticky.sameSite === 'none' ? this.#secure : `${attributes}\r\n`
    const known = before !== null && before.#key === this.#key ? before.#values : null
    for (const endpoint of endpoints) {
      const value = known?.get(endpoint.url) ?? this.#sign(endpoint.url)
      this.#values.set(endpoint.url, value)
      this.#endpoints.set(value, endpoint)
    }
  }

  #sign(url: string): string {
    const mac = createHmac('sha256', this.#key).update(`${this.#backend}\0${url}`).digest()
    return mac.toString('base64url', 0, VALUE_BYTES)
  }

  /** The endpoint of the client's cookie, already in the in-flight count; null if there is none or it is ineligible. */
  pick(request: BalancedRequest, isIneligible: IsIneligible): Endpoint | null {
    for (const value of this.#valuesOf(request)) {
      const endpoint = this.#endpoints.get(value)
      if (endpoint === undefined || isIneligible(endpoint)) continue
      sharedAdd(endpoint.slot, SHARED.inFlight, 1)
      return endpoint
    }
    return null
  }

  /** The line for the response's head; '' if the client has the cookie already. */
  cookieFor(exchange: Pick<Exchange, 'field' | 'clientScheme'>, { url }: Endpoint): string {
    const value = this.#values.get(url)
    // The endpoint was removed meanwhile.
    if (value === undefined || this.#valuesOf(exchange).includes(value)) return ''
    const rest = exchange.clientScheme === 'https' ? this.#secure : this.#plain
    return `Set-Cookie: ${this.#cookie}=${value}${rest}`
  }

  #valuesOf(request: Pick<Exchange, 'field'>): readonly string[] {
    return cookieValues(request.field('cookie') ?? '', this.#cookie, MAX_VALUES)
  }
}

function attributesOf({ path, sameSite, maxAgeSeconds }: Sticky): string {
  const site = { lax: 'Lax', strict: 'Strict', none: 'None' }[sameSite]
  const age = maxAgeSeconds === 0 ? '' : `; Max-Age=${maxAgeSeconds}`
  return `; Path=${path}; HttpOnly; SameSite=${site}${age}`
}
