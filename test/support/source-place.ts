/** Where the settings of a source are, for tests that parse some. */
import type { SourcePlace } from '../../src/providers/source-kind.ts'
import { resolverSchema } from '../../src/schema/resolver.ts'

export const SOURCE_PLACE: SourcePlace = {
  filename: '/etc/sluice.yaml',
  data: '/var/lib/sluice',
  resolver: resolverSchema.parse(undefined),
}
