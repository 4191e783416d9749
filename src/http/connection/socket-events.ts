/**
 * The events of a socket, for the connection that owns it. The listeners are shared functions that find the owner through the socket,
 * not closures, so that an idle connection stays small. What they throw ends the owner's connection, and no other.
 */
import type { Socket } from 'node:net'

export interface SocketOwner {
  received(buffer: Buffer, length: number): void
  dispatchEnd(): void
  dispatchDrain(): void
  dispatchError(error: Error): void
  dispatchClose(): void
  /** An exception of one of these. */
  caught(error: unknown): void
}

interface OwnedSocket extends Socket {
  owner?: SocketOwner
}

/** `readsData`: without the socket's `onread` option. */
export function listenTo(socket: OwnedSocket, owner: SocketOwner, readsData: boolean): void {
  socket.owner = owner
  socket.on('end', onEnd)
  socket.on('drain', onDrain)
  socket.on('error', onError)
  socket.on('close', onClose)
  if (readsData) socket.on('data', onData)
}

/** The socket is used otherwise from here on. */
export function stopListening(socket: OwnedSocket): void {
  socket.off('end', onEnd).off('drain', onDrain).off('error', onError).off('close', onClose)
  socket.off('data', onData)
  delete socket.owner
}

/** The socket's events have no effect any more, but an error of it is still caught. */
export function disown(socket: OwnedSocket): void {
  delete socket.owner
}

function onData(this: OwnedSocket, data: Buffer): void {
  try {
    this.owner?.received(data, data.length)
  } catch (fault) {
    this.owner?.caught(fault)
  }
}

function onEnd(this: OwnedSocket): void {
  try {
    this.owner?.dispatchEnd()
  } catch (fault) {
    this.owner?.caught(fault)
  }
}

function onDrain(this: OwnedSocket): void {
  try {
    this.owner?.dispatchDrain()
  } catch (fault) {
    this.owner?.caught(fault)
  }
}

function onError(this: OwnedSocket, error: Error): void {
  try {
    this.owner?.dispatchError(error)
  } catch (fault) {
    this.owner?.caught(fault)
  }
}

function onClose(this: OwnedSocket): void {
  try {
    this.owner?.dispatchClose()
  } catch (fault) {
    this.owner?.caught(fault)
  }
}
