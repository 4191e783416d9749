/** The resolver of this process, as the settings say. */
import { lookup as systemLookup } from 'node:dns/promises'
import type { ResolverSettings } from '../model/resolver-settings.ts'
import { createQuestions } from './questions.ts'
import { createResolver, type Resolver } from './resolver.ts'
import { HOSTS_PATH, parseHosts, watchFile } from './system-files.ts'

export function openResolver(settings: ResolverSettings): Resolver {
  const questions = createQuestions(settings)
  return createResolver({
    ask: questions.ask,
    askSystem: async (name) => {
      const all = await systemLookup(name, { all: true })
      return all.map(({ address }) => address)
    },
    hosts: watchFile(settings.hosts ?? HOSTS_PATH, parseHosts),
    look: questions.look,
    ttl: {
      minMs: settings.minTtlMs,
      maxMs: settings.maxTtlMs,
      defaultMs: Math.max(settings.minTtlMs, Math.min(settings.maxTtlMs, DEFAULT_TTL_MS)),
    },
    now: () => performance.now(),
    date: Date.now,
    random: Math.random,
  })
}

const DEFAULT_TTL_MS = 10_000
