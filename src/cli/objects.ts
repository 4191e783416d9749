/** `sluice put`, `delete` and `get`: objects in the configured registry. Nothing is written if there is any problem. */
import { messageOf } from '../model/error-message.ts'
import { escapeControls, quote } from '../model/parsed.ts'
import { readJsonText } from '../providers/registry/json-value.ts'
import type { ObjectKind } from '../model/names.ts'
import type { Store, StoredObject, WriteOptions } from '../providers/store.ts'

export interface PutCommand {
  readonly kind: 'put'
  readonly object: ObjectKind
  readonly id: string
  /** Null: it is read from standard input. */
  readonly json: string | null
  readonly ttlMs: number | null
  /** Undefined: any revision. */
  readonly expected: string | null | undefined
  /** Null: the only writable one. */
  readonly source: string | null
  readonly config: string | null
  /** The folder of the embedded store; null: that of the running program. */
  readonly data?: string
}

export type DeleteCommand = Omit<PutCommand, 'kind' | 'json' | 'ttlMs'> & {
  readonly kind: 'delete'
}

export interface GetCommand {
  readonly kind: 'get'
  /** Null: all kinds. */
  readonly object: ObjectKind | null
  /** Null: all objects. */
  readonly id: string | null
  readonly source: string | null
  readonly config: string | null
  /** The folder of the embedded store; null: that of the running program. */
  readonly data?: string
}

export interface ObjectsWorld {
  readonly openStore: (source: string | null) => Promise<Store>
  /** Why control would reject the object, or null. */
  readonly refuse: (kind: ObjectKind, id: string, value: unknown) => Promise<string | null>
  readonly input: AsyncIterable<Uint8Array>
  readonly print: (line: string) => void
  readonly complain: (line: string) => void
}

const MAX_INPUT_BYTES = 1 << 20

/** An example value of each kind, quoted for a shell. */
const EXAMPLES: Readonly<Record<ObjectKind, string>> = {
  listener: `'{"address":":8080"}'`,
  host: `'{"cert":"/etc/sluice/a.crt","key":"/etc/sluice/a.key"}'`,
  backend: `'{"balance":"least-connections"}'`,
  server: `'"http://10.0.0.1:80"' or '{"url":"http://10.0.0.1:80","weight":2}'`,
  frontend: `'{"route":"Host(\\"a.example\\")","backend":"vote"}'`,
  middleware: `'{"kind":"headers"}'`,
}

/** Returns the exit code: 0, or 1 after printing the reason. */
export async function runObjects(
  command: PutCommand | DeleteCommand | GetCommand,
  world: ObjectsWorld,
): Promise<0 | 1> {
  try {
    switch (command.kind) {
      case 'put':
        return await put(command, world)
      case 'delete':
        return await remove(command, world)
      case 'get':
        return await get(command, world)
      default:
        return command satisfies never
    }
  } catch (error) {
    return fail(world, messageOf(error))
  }
}

async function put(command: PutCommand, world: ObjectsWorld): Promise<0 | 1> {
  const { object: kind, id, ttlMs, expected, source } = command
  const read = readJsonText(command.json ?? (await readInput(world.input)))
  if (!read.ok) {
    return fail(world, `the value ${read.reason}; a ${kind} is written as ${EXAMPLES[kind]}`)
  }
  const refusal = await world.refuse(kind, id, read.value)
  if (refusal !== null) return fail(world, `${kind} ${id}: ${refusal}; nothing was written`)
  return withStore(world, source, async (store) => {
    const options = { ...(ttlMs === null ? {} : { ttlMs }), ...toExpected(expected) }
    const revision = await store.put(kind, id, read.value, options)
    world.print(`put ${kind} ${id}, revision ${revision}`)
    return 0
  })
}

function remove(command: DeleteCommand, world: ObjectsWorld): Promise<0 | 1> {
  const { object: kind, id, expected, source } = command
  return withStore(world, source, async (store) => {
    if (!(await store.delete(kind, id, toExpected(expected)))) return missing(world, kind, id)
    world.print(`deleted ${kind} ${id}`)
    return 0
  })
}

function get({ object: kind, id, source }: GetCommand, world: ObjectsWorld): Promise<0 | 1> {
  return withStore(world, source, async (store) => {
    if (kind !== null && id !== null) {
      const found = await store.get(kind, id)
      if (found === null) return missing(world, kind, id)
      world.print(toLine(found))
      return 0
    }
    const all = (await store.list()).filter((object) => kind === null || object.kind === kind)
    for (const object of all) world.print(toLine(object))
    return 0
  })
}

async function withStore(
  { openStore }: ObjectsWorld,
  source: string | null,
  use: (store: Store) => Promise<0 | 1>,
): Promise<0 | 1> {
  const store = await openStore(source)
  try {
    return await use(store)
  } finally {
    await store.close()
  }
}

async function readInput(input: AsyncIterable<Uint8Array>): Promise<string> {
  const pieces: Uint8Array[] = []
  let bytes = 0
  for await (const piece of input) {
    bytes += piece.length
    if (bytes > MAX_INPUT_BYTES) {
      throw new Error(
        `cannot read standard input: it has more than ${MAX_INPUT_BYTES} bytes, more than any object`,
      )
    }
    pieces.push(piece)
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(pieces))
  } catch (error) {
    throw new Error('cannot read standard input: it is not UTF-8 text', { cause: error })
  }
}

function toExpected(expected: string | null | undefined): Pick<WriteOptions, 'expected'> {
  return expected === undefined ? {} : { expected }
}

function toLine({ kind, id, revision, ttlMs, value, fault }: StoredObject): string {
  const line = { kind, id, revision, ...(ttlMs === null ? {} : { ttlMs }), value, fault }
  // JSON escapes all control characters for the terminal.
  return escapeControls(JSON.stringify(line))
}

function missing(world: ObjectsWorld, kind: ObjectKind, id: string): 1 {
  return fail(world, `there is no ${kind} ${quote(id)}; sluice get ${kind} lists the existing ones`)
}

function fail({ complain }: ObjectsWorld, what: string): 1 {
  complain(escapeControls(`sluice: ${what}`))
  return 1
}
