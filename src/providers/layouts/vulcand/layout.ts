/**
 * vulcand's keys. As in vulcand, `frontends/<id>`, `backends/<id>` and `hosts/<name>` are read without their last segment, too;
 * the complete form wins if both exist. Unlike vulcand, segments are compared as a whole from the prefix on: vulcand gives
 * b1 the servers of b10, and reads `listeners/l1/anything` as the listener l1.
 */
import { quote } from '../../../model/parsed.ts'
import { nameClosed } from '../../fail-closed.ts'
import { readJsonMap } from '../../registry/json-value.ts'
import { keyOfObject, objectOfKey } from '../object-keys.ts'
import type { DaemonFlags, KeyEntry, Layout } from '../../layout.ts'
import { refuseObjectName, type ObjectName } from '../../../model/names.ts'
import type { DeclaredObject } from '../../provider.ts'
import { TranslationError, type Translation } from '../translation.ts'
import { withDaemonFlags } from './daemon.ts'
import { closedFormOf } from './fail-closed.ts'
import { translate } from './values.ts'

const SUFFIXES: ReadonlyMap<string, string> = new Map([
  ['hosts', 'host'],
  ['backends', 'backend'],
  ['frontends', 'frontend'],
])

export function createVulcandLayout(sealKey: string | null, flags?: DaemonFlags): Layout {
  return {
    name: 'vulcand',
    groupOf(path) {
      const whole = wholeForm(path)
      return objectOfKey(whole) === null && listenerAbove(path) === null ? null : whole
    },
    read(entries) {
      const [first, second] = entries
      if (first === undefined) return []
      const whole = wholeForm(first.path)
      const name = objectOfKey(whole)
      if (name === null) return []
      const isFirst = second === undefined || first.path === whole
      const [chosen, other] = isFirst ? [first, second] : [second, first]
      const remarks =
        other === undefined
          ? []
          : [`${quote(other.key)} is not read: ${quote(chosen.key)} takes precedence`]
      return readEntry(name, chosen, remarks, { sealKey, flags })
    },
    orphanOf([entry]) {
      const id = entry === undefined ? null : listenerAbove(entry.path)
      if (entry === undefined || id === null) return null
      const message = `is not read: vulcand takes it for the listener ${quote(id)}, whose key has nothing behind the id; write it there`
      return { kind: 'listener', id, key: entry.key, message }
    },
    pathOf: keyOfObject,
  }
}

/** vulcand does not look at what follows the id. Null: it is no such key. */
function listenerAbove(path: string): string | null {
  return /^listeners\/([^/]+)\//.exec(path)?.[1] ?? null
}

function wholeForm(path: string): string {
  const [section = '', id, ...more] = path.split('/', 3)
  const suffix = SUFFIXES.get(section)
  return suffix === undefined || id === undefined || more.length > 0 ? path : `${path}/${suffix}`
}

interface Reading {
  readonly sealKey: string | null
  readonly flags: DaemonFlags | undefined
}

function readEntry(
  name: ObjectName,
  { key, text, fault, revision }: KeyEntry,
  remarks: readonly string[],
  { sealKey, flags }: Reading,
): DeclaredObject[] {
  const json = text === null ? null : readJsonMap(text)
  const closed = closedFormOf(name.kind, json?.ok === true ? json.value : null)

  const refused = refuseObjectName(name)
  const named = refused === null || closed === null ? name : nameClosed(name)

  function toObject(
    { value, remarks: own, secrets }: Translation,
    reason?: string,
  ): DeclaredObject {
    const all = [...remarks, ...own]
    return {
      ...named,
      value,
      key,
      ...(closed === null ? {} : { closed }),
      ...(reason === undefined ? {} : { fault: reason }),
      ...(all.length === 0 ? {} : { remarks: all }),
      ...(secrets === undefined ? {} : { secrets }),
      ...(revision === undefined ? {} : { revision }),
    }
  }
  const faulty = (reason: string): DeclaredObject[] => [
    toObject({ value: undefined, remarks: [] }, reason),
  ]

  if (refused !== null) return faulty(refused)
  if (json === null) return faulty(fault ?? 'cannot be read')
  if (!json.ok) return faulty(json.reason)
  try {
    const translated = translate(name.kind, json.value, sealKey)
    if (translated === null) return []
    const { value } = translated
    const whole = flags === undefined ? value : withDaemonFlags(name.kind, value, flags)
    return [toObject({ ...translated, value: whole })]
  } catch (error) {
    if (error instanceof TranslationError) return faulty(error.message)
    throw error
  }
}
