/**
 * Servers that get no new requests although they are declared, because what runs them is about to stop them, or has not started them.
 * A hold outlives the server: one that is declared again is still held.
 */
import type { Server } from '../model/snapshot.ts'

export type IsHeld = (server: Pick<Server, 'id' | 'url'>) => boolean

export interface Hold {
  /** What `isHeld` returns has changed. */
  update(): void
  /** They get requests again. A second call does nothing. */
  release(): void
}

export interface Holds {
  isHeld(backend: string, server: Pick<Server, 'id' | 'url'>): boolean
  hold(backend: string, isHeld: IsHeld): Hold
}

/** `onChange`: other servers of the backend may be held now. */
export function createHolds(onChange: (backend: string) => void): Holds {
  const holds = new Map<string, Set<IsHeld>>()

  return {
    isHeld(backend, server) {
      const own = holds.get(backend)
      if (own === undefined) return false
      for (const isHeld of own) if (isHeld(server)) return true
      return false
    },
    hold(backend, isHeld) {
      const own = holds.get(backend) ?? new Set()
      // Two holds may have one function.
      const one: IsHeld = (server) => isHeld(server)
      own.add(one)
      holds.set(backend, own)
      onChange(backend)
      return {
        update: () => onChange(backend),
        release() {
          const current = holds.get(backend)
          if (current?.delete(one) !== true) return
          if (current.size === 0) holds.delete(backend)
          onChange(backend)
        },
      }
    },
  }
}
