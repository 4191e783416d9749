/**
 * Schedules the saves of a last good snapshot: two seconds after a change, and again at the stop. A failed save is
 * retried every ten seconds.
 */
import { messageOf } from '../../model/error-message.ts'
import type { DeclaredObject } from '../../providers/provider.ts'
import type { Log } from '../../observe/log.ts'
import type { LastGoodFile, SaveResult } from './last-good.ts'

export interface LastGoodSaverOptions {
  readonly source: string
  readonly lastGood: Pick<LastGoodFile, 'save'>
  /** Returns the snapshot; called when it is saved. */
  readonly collect: () => {
    readonly objects: Iterable<DeclaredObject>
    readonly revision: string
    readonly memory?: string
    readonly isHeld?: boolean
  }
  readonly log: Log
  readonly saveMs?: number
  readonly retryMs?: number
}

export interface LastGoodSaver {
  /** Saves within `saveMs`. */
  scheduleSave(): void
  /** Why the last save failed; null: it succeeded. */
  failure(): string | null
  /** Resolves once the last snapshot is saved or the save has failed. */
  stop(): Promise<void>
}

export function createLastGoodSaver(options: LastGoodSaverOptions): LastGoodSaver {
  const { source, lastGood, collect, log, saveMs = 2000, retryMs = 10_000 } = options
  let isDirty = false
  let isStopped = false
  let timer: NodeJS.Timeout | null = null
  let saving: Promise<void> | null = null
  let failure: string | null = null

  function schedule(ms: number): void {
    if (isStopped || saving !== null || timer !== null) return
    timer = setTimeout(() => void run(), ms)
    timer.unref()
  }

  function run(): Promise<void> {
    timer = null
    saving ??= save().finally(() => {
      saving = null
      if (isDirty) schedule(failure === null ? saveMs : retryMs)
    })
    return saving
  }

  async function save(): Promise<void> {
    isDirty = false
    const result = await saveNow().catch((error: unknown) => {
      const reason = messageOf(error)
      return { saved: false, reason: `cannot save it: ${reason}` } as const
    })
    if (!result.saved) isDirty = true
    logChange(result.saved ? null : result.reason)
  }

  async function saveNow(): Promise<SaveResult> {
    const { objects, revision, memory, isHeld } = collect()
    return lastGood.save(objects, revision, memory, isHeld)
  }

  // A full disk stays full for a while: one line when saves begin to fail, and one when they succeed again.
  function logChange(reason: string | null): void {
    if (reason !== null && failure === null) {
      log.error({ source }, `source "${source}": ${reason}; a restart would not have it`)
    } else if (reason === null && failure !== null) {
      log.info({ source }, `source "${source}": its last good is saved again`)
    }
    failure = reason
  }

  return {
    scheduleSave() {
      isDirty = true
      schedule(saveMs)
    },
    failure: () => failure,
    async stop() {
      isStopped = true
      if (timer !== null) clearTimeout(timer)
      timer = null
      await saving
      if (isDirty) await run()
    },
  }
}
