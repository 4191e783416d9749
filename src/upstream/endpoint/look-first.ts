interface Looking {
  /** All that was in the socket has been read. */
  looked(): void
}

/**
 * Whether a server has closed an idle connection may be unread in the socket. A turn of the event loop reads what was in the sockets
 * when it began; the current one may have begun before a stall, hence two.
 */
export function lookFirst(connection: Looking): void {
  setImmediate(extendLook, connection)
}

function extendLook(connection: Looking): void {
  setImmediate((looking) => looking.looked(), connection)
}
