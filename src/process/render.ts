/** What `sluice render` needs of the machine: the resolver, files, signals. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { RenderWorld } from '../cli/render/run.ts'
import { createFileReader } from '../control/sources/read-files.ts'
import { openResolver } from '../dns/open-resolver.ts'
import { resolverSchema } from '../schema/resolver.ts'
import { readText } from './text-files.ts'

/** `close`: ends what it has opened. */
export function openRender(
  complain: (line: string) => void,
): RenderWorld & { readonly close: () => void } {
  const settings = resolverSchema.parse(undefined)
  const names = openResolver(settings)
  names.start()
  const { promise: stop, resolve } = Promise.withResolvers<unknown>()
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, resolve)
  return {
    ...{ names, stop, complain, resolver: settings },
    env: process.env,
    readFile: readText,
    isThere: existsSync,
    readPem: createFileReader(join(process.cwd(), 'confd.toml')),
    close: () => names.stop(),
  }
}
