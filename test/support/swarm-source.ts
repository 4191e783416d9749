/** A Swarm source as its kind reads it from settings. */
import { swarm, type SwarmSource } from '../../src/providers/swarm/source.ts'
import { readFile, valueOf } from './parsed.ts'
import { SOURCE_PLACE } from './source-place.ts'

/** `written`: besides `kind`, as in a file. */
export function swarmSource(written: Readonly<Record<string, unknown>> = {}): SwarmSource {
  const spec = valueOf(swarm.parse('swarm', { kind: 'swarm', ...written }, SOURCE_PLACE))
  return valueOf(swarm.withFiles(spec, readFile)) as SwarmSource
}
