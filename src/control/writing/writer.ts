/**
 * Writes objects to the registry of one source, for the API. Values are JSON in the form of the source's layout, as they are
 * stored. Nothing is written that admission would set aside; what concerns several objects (a backend that is missing, an
 * address in use) is free, because the order of writes is: the status of an object tells it.
 */
import type { ObjectKind, ObjectName } from '../../model/names.ts'
import { flaw, type Flaw } from '../../model/parsed.ts'
import type { SourceSpec } from '../../model/settings.ts'
import type { KeyEntry, Layout, LayoutChoice } from '../../providers/layout.ts'
import { keyOfObject, keyOfStored, objectOfKey } from '../../providers/layouts/object-keys.ts'
import { readJsonText } from '../../providers/registry/json-value.ts'
import type { DeclaredObject } from '../../providers/provider.ts'
import type { KeyStore, StoredKey, WriteOptions } from '../../providers/store.ts'
import { flawsOf } from '../admission/validate-object.ts'
import { keysOf, loadLayoutOf } from './open-store.ts'

/** An object as it is stored. */
export interface Written extends ObjectName {
  /** Undefined: the text is no JSON; see `fault`. */
  readonly value: unknown
  readonly fault: string | null
  /** Of the object, for a compare-and-set. */
  readonly revision: string
  /** The remaining time to live; null: it does not expire. */
  readonly ttlMs: number | null
  /** It is sealed in the registry, so its value is a secret as a whole. */
  readonly isSealed: boolean
}

/** Layouts that can be written. */
export type WrittenLayout = 'sluice' | 'vulcand'

export interface Writer {
  /** The name of the source. */
  readonly source: string
  readonly layout: WrittenLayout
  /** Of the source: seals vulcand's key pairs; null: there is none. */
  readonly sealKey: string | null
  get(name: ObjectName): Promise<Written | null>
  /** Of a kind, or of all; `owner`: only the parts of this backend or frontend. */
  list(kind: ObjectKind | null, owner?: string): Promise<readonly Written[]>
  /** Why admission would set the object aside. */
  refuse(name: ObjectName, value: unknown): readonly Flaw[]
  /** What a reader of the source makes of the value: the object in the native form. */
  declared(name: ObjectName, value: unknown): DeclaredObject | null
  /** Returns the new revision, once the write is as durable as the registry guarantees. */
  put(name: ObjectName, value: unknown, options: WriteOptions): Promise<string>
  /** Returns whether it existed. */
  delete(name: ObjectName, options: Pick<WriteOptions, 'expected'>): Promise<boolean>
  close(): Promise<void>
}

const FOLDERS: Readonly<Record<ObjectKind, string>> = {
  listener: 'listeners/',
  host: 'hosts/',
  backend: 'backends/',
  server: 'backends/',
  frontend: 'frontends/',
  middleware: 'frontends/',
}
const PARTS: Readonly<Partial<Record<ObjectKind, string>>> = {
  server: 'servers/',
  middleware: 'middlewares/',
}

/** `read` returns the text of a file that an object names. The registry is opened by the first call. */
export async function openWriter(
  spec: SourceSpec,
  read: (path: string) => string,
): Promise<Writer> {
  const kind = keysOf(spec)
  const choice = kind.layout(spec)
  const form = choice.layout
  if (form !== 'sluice' && form !== 'vulcand') {
    throw new Error(`cannot write to source "${spec.name}": its layout ${form} is only read`)
  }
  return createWriter({
    source: spec.name,
    form,
    choice,
    layout: await loadLayoutOf(spec),
    open: () => kind.open(spec),
    read,
  })
}

export interface WriterOptions {
  readonly source: string
  readonly form: WrittenLayout
  readonly choice: Pick<LayoutChoice, 'sealKey'>
  readonly layout: Layout
  readonly open: () => Promise<KeyStore>
  readonly read: (path: string) => string
}

export function createWriter(options: WriterOptions): Writer {
  const { source, form, choice, layout, open, read } = options
  const { sealed } = layout
  let opened: Promise<KeyStore> | null = null

  /** One that could not be opened is tried again by the next call. */
  function keys(): Promise<KeyStore> {
    if (opened !== null) return opened
    const opening = open()
    opened = opening
    opening.catch(() => {
      if (opened === opening) opened = null
    })
    return opening
  }

  function pathOf({ kind, id }: ObjectName): string {
    const path = keyOfObject(kind, id)
    if (path === null) throw new Error(`${kind} ${id} has no key`)
    return path
  }

  /** Of one that others may have written under an id that is not valid; null: no key can have it. */
  async function stored({ kind, id }: ObjectName): Promise<StoredKey | null> {
    const path = keyOfStored(kind, id)
    return path === null ? null : (await keys()).get(path)
  }

  function toWritten(name: ObjectName, key: StoredKey): Written | Promise<Written> {
    const entry = { path: key.path, key: key.path, text: key.text }
    if (key.fault !== undefined) {
      const { revision, ttlMs, fault } = key
      return { ...name, value: undefined, fault, revision, ttlMs, isSealed: false }
    }
    return sealed?.isSealed(entry) === true
      ? openSealed(name, key, entry, sealed)
      : new StoredText(name, key, key.text, false)
  }

  async function openSealed(
    name: ObjectName,
    key: StoredKey,
    entry: KeyEntry,
    values: NonNullable<Layout['sealed']>,
  ): Promise<Written> {
    const plain = await values.open(entry)
    const { text = null } = plain
    if (text !== null) return new StoredText(name, key, text, true)
    const { revision, ttlMs } = key
    return { ...name, revision, ttlMs, isSealed: true, value: undefined, fault: faultOf(plain) }
  }

  function declared({ kind, id }: ObjectName, value: unknown): DeclaredObject | null {
    const path = keyOfObject(kind, id)
    if (path === null) return null
    const objects = layout.read([{ path, key: path, text: JSON.stringify(value) }], () => [])
    return objects.find((one) => one.kind === kind && one.id === id) ?? null
  }

  return {
    source,
    layout: form,
    sealKey: choice.sealKey,
    async get(name) {
      const key = await stored(name)
      return key === null ? null : toWritten(name, key)
    },
    async list(kind, owner) {
      const folder = kind === null ? '' : FOLDERS[kind]
      const part = kind === null ? undefined : PARTS[kind]
      const start = owner === undefined || part === undefined ? folder : `${folder}${owner}/${part}`
      const found: (Written | null)[] = []
      // Most are not sealed, and thousands of promises take their time.
      const opening: Promise<void>[] = []
      for (const key of await (await keys()).list(start)) {
        const name = objectOfKey(key.path)
        if (name === null || (kind !== null && name.kind !== kind)) continue
        const written = toWritten(name, key)
        const at = found.push(written instanceof Promise ? null : written) - 1
        if (written instanceof Promise) opening.push(written.then((one) => void (found[at] = one)))
      }
      await Promise.all(opening)
      return found.filter((one) => one !== null)
    },
    refuse(name, value) {
      const { kind, id } = name
      const text = JSON.stringify(value) as string | undefined
      if (text === undefined) return [flaw([], 'has no value')]
      const json = readJsonText(text)
      if (!json.ok) return [flaw([], json.reason)]
      const object = declared(name, value)
      // vulcand's hosts without a certificate declare nothing.
      if (object === null)
        return keyOfObject(kind, id) === null ? flawsOf(kind, id, value, read) : []
      if (object.fault !== undefined) return [flaw([], object.fault)]
      return flawsOf(kind, id, object.value, read)
    },
    declared,
    async put(name, value, write) {
      const path = pathOf(name)
      // As vulcand writes it.
      const text = form === 'vulcand' ? `${JSON.stringify(value)}\n` : JSON.stringify(value)
      const written = sealed === undefined ? text : await sealed.seal(path, text)
      return (await keys()).put(path, written, write)
    },
    async delete({ kind, id }, write) {
      const path = keyOfStored(kind, id)
      return path !== null && (await keys()).delete(path, write)
    },
    async close() {
      await (await opened?.catch(() => null))?.close()
      opened = null
    },
  }
}

/** Parsed when it is read: a list of thousands is shown in slices. */
class StoredText implements Written {
  readonly kind: ObjectKind
  readonly id: string
  readonly revision: string
  readonly ttlMs: number | null
  readonly isSealed: boolean
  readonly #text: string
  #parsed: ReturnType<typeof parse> | null = null

  constructor(
    { kind, id }: ObjectName,
    { revision, ttlMs }: StoredKey,
    text: string,
    isSealed: boolean,
  ) {
    this.kind = kind
    this.id = id
    this.revision = revision
    this.ttlMs = ttlMs
    this.isSealed = isSealed
    this.#text = text
  }

  get value(): unknown {
    const parsed = (this.#parsed ??= parse(this.#text))
    return parsed.ok ? parsed.value : undefined
  }

  get fault(): string | null {
    const parsed = (this.#parsed ??= parse(this.#text))
    return parsed.ok ? null : parsed.reason
  }
}

function faultOf({ fault }: Partial<Pick<KeyEntry, 'fault' | 'text'>>): string {
  return fault ?? 'cannot be read'
}

/** Most are read to be shown, and the strict reader takes five times as long. */
function parse(text: string): { ok: true; value: unknown } | { ok: false; reason: string } {
  if (isShallow(text)) {
    try {
      return { ok: true, value: JSON.parse(text) as unknown }
    } catch {
      // The strict reader says why.
    }
  }
  const json = readJsonText(text)
  return json.ok ? { ok: true, value: json.value } : json
}

/** More maps and lists than this may be nested too deeply, which only the strict reader finds. */
const MAX_BRACKETS = 32
const OPENING_BRACKET = 0x5b
const OPENING_BRACE = 0x7b

function isShallow(text: string): boolean {
  let brackets = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    const isOpening = code === OPENING_BRACKET || code === OPENING_BRACE
    if (isOpening && ++brackets > MAX_BRACKETS) return false
  }
  return true
}
