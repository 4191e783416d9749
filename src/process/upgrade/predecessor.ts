/** The program that this one replaces: what it hands over, and when. */
import { Socket } from 'node:net'
import {
  type Begin,
  CHANNEL_VARIABLE,
  type FromProgram,
  type FromSuccessor,
  openChannel,
} from './channel.ts'

export interface Predecessor extends Omit<Required<Begin>, 'kind'> {
  /** The data folder is free: it has saved what it had, or it has ended. */
  readonly released: Promise<void>
  /** Why this program cannot start. */
  refuse(text: string): void
  /** This program serves: the predecessor drains. */
  replace(version: string): void
  /** Lets this process end. */
  leave(): void
}

/** It sends its sockets as it starts this program. */
const BEGIN_WITHIN_MS = 10_000

/** Null: there is none. Takes the variable out of `env`, which programs that this one starts would inherit. */
export async function meetPredecessor(env: NodeJS.ProcessEnv): Promise<Predecessor | null> {
  const written = env[CHANNEL_VARIABLE]
  if (written === undefined) return null
  delete env[CHANNEL_VARIABLE]
  const socket = open(written)
  const channel = openChannel<FromProgram, FromSuccessor>(socket)
  const begun = Promise.withResolvers<Begin>()
  const released = Promise.withResolvers<void>()
  const timer = setTimeout(
    () => begun.reject(new Error('the program that it is to replace does not respond')),
    BEGIN_WITHIN_MS,
  )
  channel.listen(
    (message) => {
      if (message.kind === 'begin') begun.resolve(message)
      else released.resolve()
    },
    () => {
      begun.reject(new Error('the program that it is to replace has ended'))
      released.resolve()
    },
  )
  try {
    const { kind: _kind, lastGood = [], ...begin } = await begun.promise
    void released.promise.then(channel.close)
    return {
      ...begin,
      lastGood,
      released: released.promise,
      refuse: (text) => channel.send({ kind: 'problem', text }),
      leave() {
        channel.close()
        channel.unref()
      },
      replace(version) {
        channel.send({ kind: 'ready', version })
        channel.unref()
      },
    }
  } finally {
    clearTimeout(timer)
  }
}

function open(written: string): Socket {
  try {
    return new Socket({ fd: Number(written), readable: true, writable: true })
  } catch (cause) {
    throw new Error(
      `${CHANNEL_VARIABLE} names no channel to a running program: it is set by an upgrade only, unset it`,
      { cause },
    )
  }
}
