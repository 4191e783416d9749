/** Keys of vulcand as a configuration in the form of the file, by its layout. */
import { createMirror } from '../../src/providers/registry/mirror.ts'
import { splitParts } from '../../src/model/names.ts'
import { createLayout } from './layouts.ts'

type Section = Record<string, Record<string, unknown>>

/** By path below the prefix, without it. Throws what is wrong with a value. */
export function readVulcandKeys(keys: Readonly<Record<string, object>>): object {
  const mirror = createMirror(createLayout('vulcand', { sealKey: null }))
  mirror.replace(
    Object.entries(keys).map(([path, json]) => ({
      path,
      key: `/vulcand/${path}`,
      text: JSON.stringify(json),
    })),
  )
  const { objects } = mirror.declare({ revision: '', listed: 'first', changedAt: 0 })
  const sections: Record<'listeners' | 'backends' | 'frontends', Section> = {
    listeners: {},
    backends: {},
    frontends: {},
  }
  const parts: { readonly kind: string; readonly id: string; readonly value: unknown }[] = []
  for (const { kind, id, value, fault } of objects) {
    if (fault !== undefined) throw new Error(`${kind} ${id}: ${fault}`)
    if (kind === 'server' || kind === 'middleware') parts.push({ kind, id, value })
    else sections[`${kind}s` as keyof typeof sections][id] = { ...(value as object) }
  }
  for (const { kind, id, value } of parts) {
    const [owner, name] = splitParts(id)
    if (kind === 'server') {
      const backend = sections.backends[owner] ?? {}
      backend['servers'] = { ...(backend['servers'] as object), [name ?? '']: value }
    } else {
      const frontend = sections.frontends[owner] ?? {}
      const { priority: _priority, ...middleware } = value as Record<string, unknown>
      const before = (frontend['middlewares'] ?? []) as readonly unknown[]
      frontend['middlewares'] = [...before, middleware]
    }
  }
  return sections
}
