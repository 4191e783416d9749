/**
 * What the listening connections have heard since the reader last looked: paths to read again, a doubt that only a new
 * list can settle, or the end of a link. Bounded: a path is kept once however often it changes, and many paths are a
 * doubt.
 */
import { createBell } from '../bell.ts'

export interface Heard {
  /** By path: on which home. */
  readonly paths: ReadonlyMap<string, number>
  /** Why to list, in a word for a metric's label. */
  readonly doubt: string | null
  /** When the first of it came, ms since the epoch; null when nothing did. */
  readonly since: number | null
}

export interface News {
  hear(path: string, home: number): void
  doubt(reason: string): void
  fail(error: Error): void
  /** As soon as there is anything, or after `ms`. */
  wait(ms: number): Promise<void>
  /** Empties it. Throws what `fail` was told. */
  take(): Heard
}

/** Reading so many keys one by one takes about as long as a list. */
const manyPaths = 5_000

/** `onFailure` is called once, at the first failure. */
export function createNews(now: () => number, onFailure: () => void): News {
  const bell = createBell()
  let paths = new Map<string, number>()
  let doubted: string | null = null
  let since: number | null = null
  let failure: Error | null = null

  function ring(): void {
    since ??= now()
    bell.ring()
  }

  return {
    hear(path, home) {
      if (paths.size < manyPaths) paths.set(path, home)
      else doubted ??= 'many'
      ring()
    },
    doubt(reason) {
      doubted = reason
      ring()
    },
    fail(error) {
      if (failure !== null) return
      failure = error
      onFailure()
      ring()
    },
    async wait(ms) {
      await bell.wait(ms)
    },
    take() {
      if (failure !== null) throw failure
      const heard = { paths, doubt: doubted, since }
      paths = new Map()
      doubted = null
      since = null
      return heard
    },
  }
}
