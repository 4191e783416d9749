/** `registries:` of an agent's file, and which of them a service is registered in. */
import type { ReadPem } from '../../model/certificate.ts'
import { refuseId } from '../../model/names.ts'
import { flaw, isMap, quote, type Flaw, type Path } from '../../model/parsed.ts'
import { didYouMean } from '../../model/suggest.ts'
import { parseRegistrar, registrarKindOf } from '../registrar/catalog.ts'
import type { RegistrarSpec } from '../registrar/kind.ts'

const MAX_REGISTRIES = 50

/** Null: what is refused. */
export type Registries = ReadonlyMap<string, RegistrarSpec | null>

export function readRegistries(written: unknown, readFile: ReadPem, flaws: Flaw[]): Registries {
  const at = ['registries']
  if (!isMap(written) || Object.keys(written).length === 0) {
    const what = written === undefined ? 'is missing' : `must be a map, not ${quote(written)}`
    flaws.push(
      flaw(at, `${what}: name at least one registry, as { etcd: { endpoints: 127.0.0.1:2379 } }`),
    )
    return new Map()
  }
  if (Object.keys(written).length > MAX_REGISTRIES) {
    flaws.push(flaw(at, `must hold at most ${MAX_REGISTRIES} registries`))
    return new Map()
  }
  return new Map(
    Object.entries(written).map(([name, form]) => {
      const below = [...at, name]
      const refused = refuseId(name)
      if (refused !== null) flaws.push(flaw(below, refused))
      const parsed = parseRegistrar(name, form ?? {}, below)
      const whole = parsed.ok
        ? registrarKindOf(parsed.value).withFiles(parsed.value, readFile, below)
        : parsed
      if (!whole.ok) flaws.push(...whole.problems)
      return [name, whole.ok ? whole.value : null] as const
    }),
  )
}

/** Null after a flaw, also of the registry itself. */
export function chooseRegistry(
  name: string | undefined,
  at: Path,
  registries: Registries,
  flaws: Flaw[],
): RegistrarSpec | null {
  const names = [...registries.keys()]
  if (name === undefined) {
    if (registries.size === 1) return [...registries.values()][0] ?? null
    if (registries.size > 1) flaws.push(flaw(at, `is missing: one of ${names.join(', ')}`))
    return null
  }
  const found = registries.get(name)
  if (found === undefined && registries.size > 0) {
    const known = `there are ${names.join(', ')}`
    flaws.push(flaw(at, `there is no registry ${quote(name)}: ${known}${didYouMean(name, names)}`))
  }
  return found ?? null
}
