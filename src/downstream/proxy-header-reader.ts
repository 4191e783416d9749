/** Reads the PROXY header of a connection, which comes before all other bytes. Only listeners with `proxyProtocol` do this. */
import type { Socket } from 'node:net'
import { beginsAsHeader, type ProxiedAddresses } from '../http/proxy-protocol/header.ts'
import { readProxyHeader } from '../http/proxy-protocol/read-header.ts'

/** However long the listener waits for a request: a proxy sends the header as it connects. */
const MAX_WAIT_MS = 5_000

/**
 * Calls back once: with the addresses, or with what is wrong, to follow `the connection ...`. The socket is then paused, and the
 * bytes behind the header are put back into it. Does not call back if the connection is reset, or ends without a byte, as
 * checks of a port do: then the socket is destroyed.
 *
 * If the header is not `required`, null means that there is none: the connection begins with other bytes, which are put back, or
 * is silent.
 */
export function peekProxyHeader(
  socket: Socket,
  timeoutMs: number,
  required: boolean,
  done: (header: ProxiedAddresses | string | null) => void,
): void {
  let seen: Buffer = Buffer.alloc(0)
  const waitMs = Math.min(timeoutMs, MAX_WAIT_MS)
  const ignore = (): void => {}
  const stop = (): void => {
    clearTimeout(timer)
    socket.off('data', take)
    socket.off('end', end)
    socket.off('close', stop)
  }
  const finish = (header: ProxiedAddresses | string | null, length: number): void => {
    stop()
    socket.pause()
    if (length < seen.length) socket.unshift(seen.subarray(length))
    done(header)
    socket.off('error', ignore)
  }
  const take = (chunk: Buffer): void => {
    seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk])
    if (!required && beginsAsHeader(seen) === false) return finish(null, 0)
    const header = readProxyHeader(seen)
    if (header === 'more') return
    if ('refused' in header) finish(header.refused, seen.length)
    else finish(header, header.length)
  }
  const end = (): void => {
    if (seen.length === 0) socket.destroy()
    else finish('ends within its PROXY header', seen.length)
  }
  const expire = (): void => {
    if (!required && beginsAsHeader(seen) === 'more') return finish(null, 0)
    const sent = seen.length === 0 ? 'no PROXY header' : 'only a part of its PROXY header'
    finish(`has sent ${sent} in ${waitMs} ms`, seen.length)
  }
  const timer = setTimeout(expire, waitMs)
  socket.on('error', ignore)
  socket.on('data', take)
  socket.on('end', end)
  socket.on('close', stop)
  socket.resume()
}
