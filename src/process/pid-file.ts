/** A file with the process id, for init scripts. After an upgrade it holds that of the program that serves. */
import { writeFileSync } from 'node:fs'
import { messageOf } from '../model/error-message.ts'

export interface PidFile {
  /** Throws if it cannot be written. */
  write(pid: number): void
}

/** `path`: null: there is none. It stays at the end of the program. */
export function openPidFile(path: string | null): PidFile {
  return {
    write(pid) {
      if (path === null) return
      try {
        writeFileSync(path, `${pid}\n`, { mode: 0o644 })
      } catch (cause) {
        const reason = messageOf(cause)
        throw new Error(`cannot write the process id to ${path}: ${reason}`, { cause })
      }
    },
  }
}
