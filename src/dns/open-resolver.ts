/** The resolver of this process, by the settings. */
import { lookup as systemLookup } from 'node:dns/promises'
import type { ResolverSettings } from '../model/settings.ts'
import { createQuestions } from './questions.ts'
import { createResolver, type Resolver } from './resolver.ts'
import { HOSTS_PATH, parseHosts, refuseFile, watchFile } from './system-files.ts'

/** `warn` is called if the configured hosts file cannot be read; it is read as soon as that is possible. */
export function openResolver(
  settings: ResolverSettings,
  warn: (message: string) => void = () => {},
): Resolver {
  const fault = settings.hosts === null ? null : refuseFile(settings.hosts)
  if (fault !== null) warn(`resolver.hosts: the file cannot be read, so it names nothing: ${fault}`)
  const questions = createQuestions(settings)
  return createResolver({
    query: questions.query,
    querySystem: async (name) => {
      const all = await systemLookup(name, { all: true })
      return all.map(({ address }) => address)
    },
    hosts: watchFile(settings.hosts ?? HOSTS_PATH, parseHosts),
    look: questions.look,
    ttl: {
      minMs: settings.minTtlMs,
      maxMs: settings.maxTtlMs,
      watchedMs: settings.refreshMs,
      holdMs: settings.holdMs,
      defaultMs: Math.max(settings.minTtlMs, Math.min(settings.maxTtlMs, DEFAULT_TTL_MS)),
    },
    now: () => performance.now(),
    date: Date.now,
    random: Math.random,
  })
}

const DEFAULT_TTL_MS = 10_000
