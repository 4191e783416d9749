/**
 * When the last good is saved: two seconds after a change, and so at most every two seconds; once more at the stop. What
 * could not be saved is tried again every ten seconds.
 */
import type { DeclaredObject } from '../../providers/provider.ts'
import type { EventLog } from '../../observe/log.ts'
import type { LastGoodFile } from './last-good.ts'

export interface LastGoodSaverOptions {
  readonly source: string
  readonly lastGood: Pick<LastGoodFile, 'save'>
  /** What there is now. Asked when it is saved. */
  readonly collect: () => {
    readonly objects: Iterable<DeclaredObject>
    readonly revision: string
    readonly memory?: string
    readonly isHeld?: boolean
  }
  readonly log: EventLog
  readonly saveMs?: number
  readonly retryMs?: number
}

export interface LastGoodSaver {
  /** Something is different. */
  scheduleSave(): void
  /** Why the last save failed; null: it did not. */
  failure(): string | null
  /** Resolves when everything is saved, or cannot be. */
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
    const { objects, revision, memory, isHeld } = collect()
    const answer = await lastGood.save(objects, revision, memory, isHeld)
    if (!answer.saved) isDirty = true
    logChange(answer.saved ? null : answer.reason)
  }

  // A disk that is full stays so for a while: a line when it begins, and one when it is over.
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
