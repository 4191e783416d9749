/**
 * What a program and its successor say to each other, as lines of JSON on a pair of sockets:
 *
 *   program     begin (sockets, secrets, what it serves)                  yours, drains
 *   successor                             starts, problem ...  ready                     takes the data folder
 *
 * The end of it before `ready` is a failed start; after `ready` it means that the program has gone, as `yours` does.
 */
import type { Socket } from 'node:net'
import type { ListeningSocket } from '../../model/listening-socket.ts'

export interface Begin {
  readonly kind: 'begin'
  readonly pid: number
  /** With the numbers that the descriptors have in the successor. */
  readonly sockets: readonly ListeningSocket[]
  /** Base64. Sticky cookies and TLS sessions stay valid. */
  readonly secret: string
  readonly ticketKeys: string
  /** Objects that are invalid as they are declared now, and whose last good version is served; absent: of older versions. */
  readonly lastGood?: readonly { readonly kind: string; readonly id: string }[]
}

export type FromProgram = Begin | { readonly kind: 'yours' }

export type FromSuccessor =
  | { readonly kind: 'problem'; readonly text: string }
  | { readonly kind: 'ready'; readonly version: string }

/** The environment variable with the number of the descriptor. */
export const CHANNEL_VARIABLE = 'SLUICE_PREDECESSOR'

const MAX_BYTES = 16 * 1024 * 1024

export interface Channel<In, Out> {
  send(message: Out): void
  /** Reading begins: messages in order, and once the end. */
  listen(onMessage: (message: In) => void, onEnd: () => void): void
  /** Lets the process end while it is open. */
  unref(): void
  close(): void
}

/** A line that is no JSON ends the channel. */
export function openChannel<In extends { readonly kind: string }, Out>(
  socket: Socket,
): Channel<In, Out> {
  socket.on('error', () => socket.destroy())
  return {
    send(message) {
      if (socket.writable) socket.write(`${JSON.stringify(message)}\n`)
    },
    listen(onMessage, onEnd) {
      let text = ''
      socket.setEncoding('utf8')
      socket.once('close', onEnd)
      socket.on('data', (piece: string) => {
        text += piece
        if (text.length > MAX_BYTES) return socket.destroy()
        const lines = text.split('\n')
        text = lines.pop() ?? ''
        for (const line of lines) {
          const message = parse<In>(line)
          if (message === null) return socket.destroy()
          onMessage(message)
        }
        return undefined
      })
    },
    unref: () => void socket.unref(),
    close: () => void socket.end(),
  }
}

function parse<T extends { readonly kind: string }>(line: string): T | null {
  try {
    const value: unknown = JSON.parse(line)
    const isMessage = typeof value === 'object' && value !== null && 'kind' in value
    return isMessage ? (value as T) : null
  } catch {
    return null
  }
}
