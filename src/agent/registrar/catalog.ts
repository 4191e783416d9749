/** Every kind of registry that an agent registers in, one line each. */
import { flaw, quote, refuse, type Parsed, type Path } from '../../model/parsed.ts'
import { didYouMean } from '../../model/suggest.ts'
import { consulRegistrar } from './consul.ts'
import { etcdRegistrar } from './etcd.ts'
import type { RegistrarKind, RegistrarSpec } from './kind.ts'
import { redisRegistrar } from './redis.ts'
import type { Registrar, RegistrarListener } from './registrar.ts'
import { sluiceRegistrar } from './sluice.ts'
import { zookeeperRegistrar } from './zookeeper.ts'

export const REGISTRAR_KINDS: readonly RegistrarKind[] = [
  ...[etcdRegistrar, consulRegistrar, zookeeperRegistrar, redisRegistrar],
  sluiceRegistrar,
]

/** `at`: the place of `written` in its file. A name that is a kind needs no `kind`. */
export function parseRegistrar(name: string, written: unknown, at: Path): Parsed<RegistrarSpec> {
  if (typeof written !== 'object' || written === null || Array.isArray(written)) {
    return refuse([flaw(at, `must be a map, not ${quote(written)}`)])
  }
  const wanted: unknown = 'kind' in written ? written.kind : name
  const found = REGISTRAR_KINDS.find(({ kind }) => kind === wanted)
  if (found !== undefined) return found.parse(name, written, at)
  const kinds = REGISTRAR_KINDS.map(({ kind }) => kind)
  const list = `one of ${kinds.join(', ')}`
  if (!('kind' in written)) {
    return refuse([flaw(at, `needs a kind, ${list}; a name that is one of them is enough`)])
  }
  const near = typeof written.kind === 'string' ? didYouMean(written.kind, kinds) : ''
  return refuse([flaw([...at, 'kind'], `must be ${list}, not ${quote(written.kind)}${near}`)])
}

export function registrarKindOf({ name, kind }: RegistrarSpec): RegistrarKind {
  const found = REGISTRAR_KINDS.find((one) => one.kind === kind)
  if (found === undefined) throw new Error(`registry "${name}" has the unknown kind "${kind}"`)
  return found
}

export function openRegistrar(
  spec: RegistrarSpec,
  listener: RegistrarListener,
): Promise<Registrar> {
  return registrarKindOf(spec).open(spec, listener)
}
