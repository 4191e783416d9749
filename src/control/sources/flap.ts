/**
 * A server that comes and goes all the time costs requests each time it goes. It always goes at once; what is damped is
 * its coming back: three times in a minute it is free, then it has to be declared for 1, 2, 4 ... 30 s first. A minute
 * without coming or going and it is forgotten.
 */
export interface FlapDamping {
  /** The server is gone. */
  leave(id: string, now: number): void
  /** The server is declared, again or for the first time: how many ms it has to wait. */
  arrive(id: string, now: number): number
  /** How often a server was back within a minute, since the start. */
  readonly flaps: number
}

interface Track {
  lastAt: number
  /** The latest times it came back, at most `freeReturns`. */
  returns: readonly number[]
  /** How often it had to wait. */
  waits: number
}

const freeReturns = 3
const quietMs = 60_000
const firstWaitMs = 1000
const lastWaitMs = 30_000
const maxTracks = 10_000

export function createFlapDamping(): FlapDamping {
  /** The longest quiet first. */
  const tracks = new Map<string, Track>()
  let flaps = 0

  function isQuiet({ lastAt }: Track, now: number): boolean {
    return now - lastAt >= quietMs
  }

  function touch(id: string, track: Track, now: number): void {
    track.lastAt = now
    tracks.delete(id)
    tracks.set(id, track)
    for (const [oldest, old] of tracks) {
      if (tracks.size <= maxTracks && !isQuiet(old, now)) return
      tracks.delete(oldest)
    }
  }

  function find(id: string, now: number): Track | null {
    const track = tracks.get(id)
    return track === undefined || isQuiet(track, now) ? null : track
  }

  return {
    leave(id, now) {
      touch(id, find(id, now) ?? { lastAt: now, returns: [], waits: 0 }, now)
    },
    arrive(id, now) {
      const track = find(id, now)
      if (track === null) return 0
      flaps++
      const recent = track.returns.filter((at) => now - at < quietMs)
      track.returns = [...recent, now].slice(-freeReturns)
      touch(id, track, now)
      if (recent.length < freeReturns) return 0
      return Math.min(lastWaitMs, firstWaitMs * 2 ** track.waits++)
    },
    get flaps() {
      return flaps
    },
  }
}
