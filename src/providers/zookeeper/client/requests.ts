/** The operations, with how each is written and how its response is read. */
import type { JuteReader, JuteWriter } from './jute.ts'
import { ANY_VERSION, OP, OPEN_ACL, PERSISTENT, PERSISTENT_RECURSIVE } from './protocol.ts'

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
  readonly children: number
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
    write: (writer) => writer.text(path).bool(isWatched),
    read: (reader) => ({ data: reader.bytes(), stat: readStat(reader) }),
  }
}

export function getChildren(path: string, isWatched = false): ZookeeperRequest<readonly string[]> {
  return {
    ...{ op: OP.getChildren, doing: `list "${path}"` },
    write: (writer) => writer.text(path).bool(isWatched),
    read: (reader) => reader.list(() => reader.text()),
  }
}

export function exists(path: string, isWatched = false): ZookeeperRequest<Stat> {
  return {
    ...{ op: OP.exists, doing: `look for "${path}"` },
    write: (writer) => writer.text(path).bool(isWatched),
    read: (reader) => readStat(reader),
  }
}

/** Resolves once the server has all that the ensemble had committed when it was asked. */
export function sync(path: string): ZookeeperRequest<void> {
  return {
    ...{ op: OP.sync, doing: `catch up with the ensemble for "${path}"` },
    write: (writer) => writer.text(path),
    read: () => {},
  }
}

export function watchTree(path: string): ZookeeperRequest<void> {
  return {
    ...{ op: OP.addWatch, doing: `watch "${path}"` },
    write: (writer) => writer.text(path).int(PERSISTENT_RECURSIVE),
    read: () => {},
  }
}

/** Everyone may read and write it. Returns the transaction. */
export function create(path: string, data: Buffer): ZookeeperRequest<bigint> {
  return {
    ...{ op: OP.create, doing: `create "${path}"` },
    write(writer) {
      const { permissions, scheme, id } = OPEN_ACL
      writer.text(path).bytes(data)
      writer.int(1).int(permissions).text(scheme).text(id).int(PERSISTENT)
    },
    read: (_, zxid) => zxid,
  }
}

export function setData(
  path: string,
  data: Buffer,
  version: number = ANY_VERSION,
): ZookeeperRequest<Stat> {
  return {
    ...{ op: OP.setData, doing: `put "${path}"` },
    write: (writer) => writer.text(path).bytes(data).int(version),
    read: (reader) => readStat(reader),
  }
}

export function remove(path: string, version: number = ANY_VERSION): ZookeeperRequest<void> {
  return {
    ...{ op: OP.delete, doing: `delete "${path}"` },
    write: (writer) => writer.text(path).int(version),
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
  const isEphemeral = reader.long() !== 0n
  reader.skip(4) // the length of its data
  const children = reader.int()
  return { createdAt, setAt, createdMs, version, isEphemeral, children }
}
