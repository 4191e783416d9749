/** Names as a process resolves them, by its own hosts file and DNS servers unless a test says which. */
import type { LookupFunction } from 'node:net'
import type { TestContext } from 'node:test'
import { createLookup } from '../../src/dns/lookup.ts'
import { openResolver } from '../../src/dns/open-resolver.ts'
import type { Resolver } from '../../src/dns/resolver.ts'
import { resolverSchema } from '../../src/schema/resolver.ts'

/** `settings`: as the file writes them under `resolver`. */
export function systemResolver(t: Pick<TestContext, 'after'>, settings: object = {}): Resolver {
  const resolver = openResolver(resolverSchema.parse(settings))
  resolver.start()
  t.after(() => resolver.stop())
  return resolver
}

export const systemLookup: LookupFunction = createLookup(openResolver(resolverSchema.parse({})))
