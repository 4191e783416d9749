/** A Docker source as its kind reads it from settings. */
import { docker, type DockerSource } from '../../src/providers/docker/source.ts'
import { readFile, valueOf } from './parsed.ts'
import { SOURCE_PLACE } from './source-place.ts'

/** `written`: besides `kind`, as in a file. */
export function dockerSource(written: Readonly<Record<string, unknown>> = {}): DockerSource {
  const spec = valueOf(docker.parse('docker', { kind: 'docker', ...written }, SOURCE_PLACE))
  return valueOf(docker.withFiles(spec, readFile)) as DockerSource
}
