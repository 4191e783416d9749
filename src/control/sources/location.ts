/**
 * Where a source is: what its last good snapshot belongs to. Other endpoints, another prefix, database, layout, directory or
 * file are another place, whose objects are no versions of those here. How it is spoken to (TLS, a password) is not.
 */
import { realpathSync } from 'node:fs'
import { resolve } from 'node:path'
import type { EtcdSource, RedisSource, SourceSpec } from '../../model/source-spec.ts'

/** Several names of one place: paths are told as they are written and as they lead, independent of the working directory. */
export function locationOf(spec: SourceSpec): readonly string[] {
  switch (spec.kind) {
    case 'etcd':
      return [registry(spec, '')]
    case 'redis':
      return [registry(spec, spec.cluster ? ' cluster' : ` database ${spec.database}`)]
    case 'files':
      return paths('directory', spec.directory)
    case 'store':
      return paths('store', spec.path)
    default:
      return spec satisfies never
  }
}

function registry(
  { kind, endpoints, prefix, layout }: EtcdSource | RedisSource,
  which: string,
): string {
  const where = [...new Set(endpoints)].sort().join(',')
  return `${kind} ${where}${which}, prefix ${JSON.stringify(prefix)}, layout ${layout}`
}

function paths(what: string, path: string): readonly string[] {
  const whole = resolve(path)
  return [...new Set([whole, realOr(whole)])].map((one) => `${what} ${one}`)
}

function realOr(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}
