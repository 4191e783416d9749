/** A Docker source as its kind reads it from settings. */
import { docker, type DockerSource } from '../../src/providers/docker/source.ts'
import { readFile, valueOf } from './parsed.ts'

/** `written`: besides `kind`, as in a file. */
export function dockerSource(written: Readonly<Record<string, unknown>> = {}): DockerSource {
  const place = { filename: '/etc/sluice.yaml', data: '/var/lib/sluice' }
  const spec = valueOf(docker.parse('docker', { kind: 'docker', ...written }, place))
  return valueOf(docker.withFiles(spec, readFile)) as DockerSource
}
