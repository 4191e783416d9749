/**
 * Queries DNS servers with c-ares (`node:dns`' Resolver). Its sockets are on the event loop, so a server that does not respond
 * blocks no thread. Search domains are applied as in resolv.conf(5).
 */
import { promises } from 'node:dns'
import {
  NO_DATA,
  NO_NAME,
  REFUSALS,
  SILENT,
  UNREACHABLE,
  UNREADABLE,
  type QueryName,
  type FamilyAnswer,
  type NameAnswer,
} from './answer.ts'
import { RESOLV_CONF_PATH, parseResolvConf, watchFile } from './system-files.ts'

export interface QuestionOptions {
  /** `10.0.0.2`, `10.0.0.2:5353`, `[fd00::1]:53`. Empty: those of resolv.conf. */
  readonly servers: readonly string[]
  /** Null: those of resolv.conf. */
  readonly search: readonly string[] | null
  readonly ndots: number | null
  /** Of one query to one server. */
  readonly timeoutMs: number
  /** Of one query, over all servers. */
  readonly attempts: number
}

export interface Questions {
  readonly query: QueryName
  /** Reads resolv.conf again if it has changed. */
  look(): void
}

/** RFC 8305 section 3, the resolution delay. */
const OTHER_FAMILY_MS = 50

/** The addresses of one family of a complete name. Never rejects. */
export type QueryFamily = (name: string, family: 4 | 6) => Promise<FamilyAnswer>

/** `other`: asks in another way than by c-ares. */
export function createQuestions(options: QuestionOptions, other?: QueryFamily): Questions {
  const conf = watchFile(RESOLV_CONF_PATH, parseResolvConf)
  let resolver = createResolver(options)
  const resolve = other ?? resolveByCares

  async function resolveByCares(name: string, family: 4 | 6): Promise<FamilyAnswer> {
    try {
      const records =
        family === 4
          ? await resolver.resolve4(name, { ttl: true })
          : await resolver.resolve6(name, { ttl: true })
      if (records.length === 0) return { kind: 'none', reason: NO_DATA }
      const ttlMs = Math.min(...records.map(({ ttl }) => ttl)) * 1000
      return { kind: 'found', addresses: records.map(({ address }) => address), ttlMs }
    } catch (error) {
      return failureOf(error)
    }
  }

  async function queryBoth(
    name: string,
    onPart: (part: Partial<NameAnswer>) => void,
  ): Promise<NameAnswer> {
    let timer: NodeJS.Timeout | undefined
    const reportPart = (part: Partial<NameAnswer>): void => {
      timer ??= setTimeout(onPart, OTHER_FAMILY_MS, part)
    }
    const [v4, v6] = await Promise.all([
      resolve(name, 4).then((v4) => (v4.kind === 'found' ? (reportPart({ v4 }), v4) : v4)),
      resolve(name, 6).then((v6) => (v6.kind === 'found' ? (reportPart({ v6 }), v6) : v6)),
    ])
    clearTimeout(timer)
    return { v4, v6 }
  }

  async function query(
    name: string,
    onPart: (part: Partial<NameAnswer>) => void,
  ): Promise<NameAnswer> {
    const { search = conf.value.search, ndots = conf.value.ndots } = withoutNull(options)
    let doubt: NameAnswer | null = null
    let last: NameAnswer = none(NO_DATA)
    for (const candidate of candidatesOf(name, search, ndots)) {
      const answer = await queryBoth(candidate, onPart)
      if (answer.v4.kind === 'found' || answer.v6.kind === 'found') return answer
      last = answer
      const isDoubt = answer.v4.kind === 'failed' || answer.v6.kind === 'failed'
      if (isDoubt) doubt = answer
      // The next candidate may be another host, so it is not used if this query failed.
      if (isDoubt && isSilent(answer)) break
    }
    return doubt ?? last
  }

  return {
    query,
    look() {
      if (conf.changed()) resolver = createResolver(options)
    },
  }
}

function withoutNull({ search, ndots }: QuestionOptions): {
  search?: readonly string[]
  ndots?: number
} {
  return { ...(search === null ? {} : { search }), ...(ndots === null ? {} : { ndots }) }
}

function createResolver({ servers, timeoutMs, attempts }: QuestionOptions): promises.Resolver {
  const resolver = new promises.Resolver({
    timeout: timeoutMs,
    maxTimeout: timeoutMs,
    tries: attempts,
  })
  if (servers.length > 0) resolver.setServers(servers)
  return resolver
}

/** In the order of their queries. A name with a trailing dot is complete. */
export function candidatesOf(
  name: string,
  search: readonly string[],
  ndots: number,
): readonly string[] {
  if (name.endsWith('.')) return [name.slice(0, -1)]
  const completed = search.map((domain) => `${name}.${domain}`)
  const isWhole = name.split('.').length - 1 >= ndots
  const all = isWhole ? [name, ...completed] : [...completed, name]
  return all.filter(({ length }) => length <= 253)
}

const NONE: Readonly<Record<string, string>> = { ENOTFOUND: NO_NAME, ENODATA: NO_DATA }
const FAILED: Readonly<Record<string, string>> = {
  ESERVFAIL: REFUSALS.SERVFAIL,
  EREFUSED: REFUSALS.REFUSED,
  ETIMEOUT: SILENT,
  ETIMEDOUT: SILENT,
  ECONNREFUSED: UNREACHABLE,
  EBADRESP: UNREADABLE,
  EFORMERR: REFUSALS.FORMERR,
  ENOTIMP: REFUSALS.NOTIMP,
}

function failureOf(error: unknown): FamilyAnswer {
  const { code = '' } = error as NodeJS.ErrnoException
  const none = NONE[code]
  if (none !== undefined) return { kind: 'none', reason: none }
  return { kind: 'failed', reason: FAILED[code] ?? String(error) }
}

function none(reason: string): NameAnswer {
  return { v4: { kind: 'none', reason }, v6: { kind: 'none', reason } }
}

function isSilent({ v4, v6 }: NameAnswer): boolean {
  return [v4, v6].some((one) => one.kind === 'failed' && one.reason !== FAILED['ESERVFAIL'])
}
