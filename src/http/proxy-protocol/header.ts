/**
 * The PROXY protocol: a header before all other bytes of a connection, in which a proxy passes on the address of its client.
 * Version 1 is a line of text, version 2 is binary. Specification: doc/proxy-protocol.txt of HAProxy.
 */
import type { Socket } from 'node:net'
import type { Address } from '../../model/snapshot.ts'

export interface ProxiedAddresses {
  /** Canonical (IPv4 where it is IPv4-mapped). Null: the header has no address (LOCAL, UNKNOWN, a unix socket). */
  readonly source: Address | null
  /** Where the client connected to. Null together with the source. */
  readonly destination: Address | null
}

/** Of an accepted socket. */
export function addressesOf(socket: Socket): ProxiedAddresses {
  const { remoteAddress, remotePort, localAddress, localPort } = socket
  return {
    source: { host: remoteAddress ?? '', port: remotePort ?? 0 },
    destination: { host: localAddress ?? '', port: localPort ?? 0 },
  }
}

export interface ProxyHeader extends ProxiedAddresses {
  /** Bytes; what follows belongs to the connection. */
  readonly length: number
}

/** `more`: it is incomplete, and valid so far. Otherwise the text says what is wrong, to follow `the connection ...`. */
export type ReadHeader = ProxyHeader | 'more' | { readonly refused: string }

/** With its final CRLF. */
export const MAX_LINE = 107
/** Of a header of version 2, with all its extensions. */
export const MAX_BINARY: number = 4 * 1024
export const LINE_START: Buffer = Buffer.from('PROXY ', 'latin1')
export const SIGNATURE: Buffer = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')

/** Whether the bytes begin as a header does; `more`: they are too few to tell. Of no bytes that is `more`, too. */
export function beginsAsHeader(bytes: Uint8Array): boolean | 'more' {
  const start = bytes[0] === LINE_START[0] ? LINE_START : SIGNATURE
  const length = Math.min(bytes.length, start.length)
  if (start.compare(bytes, 0, length, 0, length) !== 0) return false
  return bytes.length < start.length ? 'more' : true
}

/** Of version 2, the upper half of its first byte after the signature. */
export const VERSION = 2
export const COMMAND = { local: 0, proxy: 1 } as const
/** The address family of version 2, the upper half of its byte. */
export const FAMILY = { unspecified: 0, ipv4: 1, ipv6: 2, unix: 3 } as const
/** Version and command, family, length. */
export const AFTER_SIGNATURE = 4
