/** Requests of one account to a CA, each ended by the client's signal and by that of its caller. */
import type { KeyObject } from 'node:crypto'
import type { CaResponse, Conversation } from './conversation.ts'
import type { DirectoryEntry, LiveDirectory } from './directory.ts'
import { unsupported } from './faults.ts'
import { type Look, poll } from './polling.ts'
import type { Origin } from './read-resources.ts'

export interface Session {
  /** `the CA at ca.example`, for messages. */
  readonly who: string
  readonly now: () => number
  readonly key: KeyObject
  /** Null: none is registered. */
  accountUrl: string | null
  readonly directory: LiveDirectory
  /** `payload`: undefined reads a resource. */
  post(what: string, url: string, payload: unknown, more?: Partial<Terms>): Promise<CaResponse>
  /** To a URL of the directory. */
  postTo(entry: DirectoryEntry, what: string, payload: unknown): Promise<CaResponse>
  get(what: string, url: string): Promise<CaResponse>
  wait<T>(what: string, signal: AbortSignal | undefined, look: Look<T>): Promise<T>
  origin(what: string, url: string, response: CaResponse): Origin
}

export interface Terms {
  readonly signal: AbortSignal | undefined
  readonly accept: string
  readonly isRepeatable: boolean
  /** There is no account yet: the key signs in its own name. */
  readonly isFirst: boolean
}

export interface SessionOptions {
  readonly conversation: Conversation
  readonly directory: LiveDirectory
  readonly key: KeyObject
  readonly accountUrl: string | null
  readonly signal: AbortSignal
  readonly waitMs: number
}

export function createSession(options: SessionOptions): Session {
  const { conversation, directory, key, waitMs } = options
  const { who, now } = conversation

  function ended(signal: AbortSignal | undefined): AbortSignal {
    return signal === undefined ? options.signal : AbortSignal.any([options.signal, signal])
  }

  return {
    who,
    now,
    key,
    accountUrl: options.accountUrl,
    directory,
    async post(what, url, payload, { signal, isFirst = false, ...more } = {}) {
      const { accountUrl } = this
      if (accountUrl === null && !isFirst)
        throw unsupported(`cannot ${what}: no account is registered`)
      const signer = { key, accountUrl: isFirst ? null : accountUrl }
      return conversation.post({ what, url, payload, signer, signal: ended(signal), ...more })
    },
    postTo(entry, what, payload) {
      return directory.using(entry, (url) => this.post(what, url, payload))
    },
    get: (what, url) => conversation.get({ what, url, signal: options.signal }),
    wait: (what, signal, look) => poll(look, { what, who, waitMs, signal: ended(signal) }),
    origin: (what, url, { retryAfterMs }) => ({ what, url, who, retryAfterMs }),
  }
}
