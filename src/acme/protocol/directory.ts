/** Where a CA's resources are (RFC 8555 section 7.1.1). It is read once a day, and when one of its URLs is gone. */
import { isMap } from '../../model/parsed.ts'
import { AcmeError } from './acme-error.ts'
import { type Conversation, readJson } from './conversation.ts'
import { wordsOf } from './problem.ts'
import { createReader } from './read-resources.ts'
import type { DirectoryMeta } from './resources.ts'

export interface Directory {
  readonly newNonce: string
  readonly newAccount: string
  readonly newOrder: string
  readonly renewalInfo: string | null
  readonly meta: DirectoryMeta
}

/** Names of its URLs. */
export type DirectoryEntry = Exclude<keyof Directory, 'meta'>

export interface LiveDirectory {
  get(): Promise<Directory>
  /** Calls with a URL of the directory, and once more if that is gone and the CA now names another one. */
  using<T>(entry: DirectoryEntry, call: (url: string) => Promise<T>): Promise<T>
}

const MAX_AGE_MS = 86_400_000
const GONE = [404, 405, 410]
const MAX_PROFILES = 100

export function createDirectory(
  url: string,
  conversation: Conversation,
  signal: AbortSignal,
): LiveDirectory {
  const { who } = conversation
  let known: { readonly directory: Directory; readonly at: number } | null = null

  async function read(): Promise<Directory> {
    const what = 'read the directory'
    const response = await conversation.get({ what, url, signal })
    const directory = directoryOf(readJson(response, what, who), what, who)
    known = { directory, at: performance.now() }
    return directory
  }

  async function get(): Promise<Directory> {
    if (known !== null && performance.now() - known.at < MAX_AGE_MS) return known.directory
    try {
      return await read()
    } catch (error) {
      // What was said before is likely to hold.
      if (known === null) throw error
      return known.directory
    }
  }

  return {
    get,
    async using(entry, call) {
      const first = demand(await get(), entry, who)
      try {
        return await call(first)
      } catch (error) {
        if (!(error instanceof AcmeError) || !GONE.includes(error.status ?? 0)) throw error
        const next = demand(await read(), entry, who)
        if (next === first) throw error
        return await call(next)
      }
    },
  }
}

function demand(directory: Directory, entry: DirectoryEntry, who: string): string {
  const url = directory[entry]
  if (url !== null) return url
  throw new AcmeError(`${who} has no ${entry}`, { type: 'unsupported', detail: `no ${entry}` })
}

function directoryOf(document: unknown, what: string, who: string): Directory {
  const reader = createReader(document, what, who)
  const meta = reader.map('meta') ?? {}
  const profiles = isMap(meta['profiles']) ? Object.entries(meta['profiles']) : []
  return {
    newNonce: reader.text('newNonce'),
    newAccount: reader.text('newAccount'),
    newOrder: reader.text('newOrder'),
    renewalInfo: reader.optionalText('renewalInfo'),
    meta: {
      termsOfService: wordsOf(meta['termsOfService']),
      externalAccountRequired: meta['externalAccountRequired'] === true,
      profiles: new Map(
        profiles.slice(0, MAX_PROFILES).map(([name, about]) => [name, wordsOf(about) ?? '']),
      ),
      hasRenewalInfo: reader.optionalText('renewalInfo') !== null,
    },
  }
}
