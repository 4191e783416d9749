/** The operations, with how each is written and how its response is read. */
import type { JuteReader, JuteWriter } from './jute.ts'
import {
  ANY_VERSION,
  EPHEMERAL,
  EPHEMERAL_SEQUENTIAL,
  ERROR,
  OP,
  OPEN_ACL,
  PERSISTENT,
  PERSISTENT_RECURSIVE,
} from './protocol.ts'

export interface ZookeeperRequest<Response> {
  readonly op: number
  /** Completes `cannot ...` in messages. */
  readonly doing: string
  write(writer: JuteWriter): void
  /** `zxid`: of a write, its transaction. */
  read(reader: JuteReader, zxid: bigint): Response
}

export interface Stat {
  /** Of the transaction that created the znode, and of the last one that set its data. */
  readonly createdAt: bigint
  readonly setAt: bigint
  /** ms since the epoch, by the server's clock. */
  readonly createdMs: bigint
  /** How often its data was set since it was created. */
  readonly version: number
  readonly isEphemeral: boolean
  /** Of an ephemeral znode, the session that ends with it; else 0. */
  readonly owner: bigint
  readonly children: number
}

/** '' is above all znodes. */
function toWire(path: string): string {
  return path === '' ? '/' : path
}

export interface ReadNode {
  /** A view into the frame. */
  readonly data: Buffer
  readonly stat: Stat
}

/** With `isWatched`, one event reports the next change; for servers without persistent watches. */
export function getData(path: string, isWatched = false): ZookeeperRequest<ReadNode> {
  return {
    ...{ op: OP.getData, doing: `read "${path}"` },
    write: (writer) => writer.text(toWire(path)).bool(isWatched),
    read: (reader) => ({ data: reader.bytes(), stat: readStat(reader) }),
  }
}

export function getChildren(path: string, isWatched = false): ZookeeperRequest<readonly string[]> {
  return {
    ...{ op: OP.getChildren, doing: `list "${path}"` },
    write: (writer) => writer.text(toWire(path)).bool(isWatched),
    read: (reader) => reader.list(() => reader.text()),
  }
}

export function exists(path: string, isWatched = false): ZookeeperRequest<Stat> {
  return {
    ...{ op: OP.exists, doing: `look for "${path}"` },
    write: (writer) => writer.text(toWire(path)).bool(isWatched),
    read: (reader) => readStat(reader),
  }
}

/** Resolves once the server has all that the ensemble had committed when it was asked. */
export function sync(path: string): ZookeeperRequest<void> {
  return {
    ...{ op: OP.sync, doing: `catch up with the ensemble for "${path}"` },
    write: (writer) => writer.text(toWire(path)),
    read: () => {},
  }
}

/** Resolves once the ensemble has ended the session, with all ephemeral znodes of it. The server then closes the connection. */
export function endSession(): ZookeeperRequest<void> {
  return { op: OP.closeSession, doing: 'end the session', write: () => {}, read: () => {} }
}

export function watchTree(path: string): ZookeeperRequest<void> {
  return {
    ...{ op: OP.addWatch, doing: `watch "${path}"` },
    write: (writer) => writer.text(toWire(path)).int(PERSISTENT_RECURSIVE),
    read: () => {},
  }
}

/** Everyone may read and write it. Returns the transaction. */
export function create(path: string, data: Buffer): ZookeeperRequest<bigint> {
  return {
    ...{ op: OP.create, doing: `create "${path}"` },
    write: (writer) => writeCreate(writer, path, data, PERSISTENT),
    read: (_, zxid) => zxid,
  }
}

/** It ends with the session. With `isSequential` the server appends a number to the path. Returns the whole path. */
export function createEphemeral(
  path: string,
  data: Buffer,
  isSequential: boolean,
): ZookeeperRequest<string> {
  const mode = isSequential ? EPHEMERAL_SEQUENTIAL : EPHEMERAL
  return {
    ...{ op: OP.create, doing: `create "${path}"` },
    write: (writer) => writeCreate(writer, path, data, mode),
    read: (reader) => reader.text(),
  }
}

/**
 * Removes the znode of this version and creates an ephemeral one in its place, as one transaction: no client finds it missing.
 * Returns 0, or why nothing was done, one of ERROR.
 */
export function replaceByEphemeral(
  path: string,
  version: number,
  data: Buffer,
): ZookeeperRequest<number> {
  const head = (writer: JuteWriter, op: number): unknown => writer.int(op).bool(false).int(-1)
  return {
    ...{ op: OP.multi, doing: `replace "${path}"` },
    write(writer) {
      head(writer, OP.delete)
      writer.text(path).int(version)
      head(writer, OP.create)
      writeCreate(writer, path, data, EPHEMERAL)
      writer.int(-1).bool(true).int(-1)
    },
    read(reader) {
      let failure = 0
      for (;;) {
        const op = reader.int()
        const isEnd = reader.bool()
        reader.skip(4) // the error again
        if (isEnd) return failure
        if (op === OP.create) reader.text()
        if (op !== OP.error) continue
        const code = reader.int()
        if (code !== 0 && (failure === 0 || failure === ERROR.notApplied)) failure = code
      }
    },
  }
}

function writeCreate(writer: JuteWriter, path: string, data: Buffer, mode: number): void {
  const { permissions, scheme, id } = OPEN_ACL
  writer.text(path).bytes(data)
  writer.int(1).int(permissions).text(scheme).text(id).int(mode)
}

export function setData(
  path: string,
  data: Buffer,
  version: number = ANY_VERSION,
): ZookeeperRequest<Stat> {
  return {
    ...{ op: OP.setData, doing: `put "${path}"` },
    write: (writer) => writer.text(toWire(path)).bytes(data).int(version),
    read: (reader) => readStat(reader),
  }
}

export function remove(path: string, version: number = ANY_VERSION): ZookeeperRequest<void> {
  return {
    ...{ op: OP.delete, doing: `delete "${path}"` },
    write: (writer) => writer.text(toWire(path)).int(version),
    read: () => {},
  }
}

function readStat(reader: JuteReader): Stat {
  const createdAt = reader.long()
  const setAt = reader.long()
  const createdMs = reader.long()
  reader.skip(8) // when it was set
  const version = reader.int()
  reader.skip(8) // versions of its children and of its ACL
  const owner = reader.long()
  reader.skip(4) // the length of its data
  const children = reader.int()
  return { createdAt, setAt, createdMs, version, isEphemeral: owner !== 0n, owner, children }
}
