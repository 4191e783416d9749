/**
 * Keeps one file as its template has it. Changes that follow one another are rendered together; a failure is tried again with
 * back-off, and leaves the file as it was.
 */
import { hash } from 'node:crypto'
import { setTimeout as passed } from 'node:timers/promises'
import { exponentialBackoff } from '../model/backoff.ts'
import { messageOf } from '../model/error-message.ts'
import type { TemplateSettings } from '../model/template-settings.ts'
import type { Log } from '../observe/log.ts'
import type { TemplateReport, TemplateState } from '../observe/reports/template-report.ts'
import { createNotifier } from '../providers/notifier.ts'
import { applyText, type Applied } from './apply.ts'
import { isReloadDue } from './due-reload.ts'
import { removeLeftovers } from './staged-name.ts'

export interface RenderedFile {
  readonly settings: TemplateSettings
  /** Something that it is made of may have changed. */
  notify(): void
  report(): TemplateReport
  /** Renders until the signal aborts. Never rejects. */
  follow(): Promise<void>
  /** Renders now, once. Returns why it failed, or null. */
  renderOnce(): Promise<string | null>
}

export interface RenderedFileOptions {
  readonly settings: TemplateSettings
  readonly source: string | null
  /** @throws {NotReady} it cannot be made yet */
  readonly makeText: () => Promise<string>
  /** Why the source of its keys is away; null: it is not. */
  readonly lost: () => string | null
  readonly signal: AbortSignal
  readonly log: Log
  /** performance.now(). */
  readonly now: () => number
  /** ms since the epoch, for people. */
  readonly date: () => number
  /** From 0 up to 1. */
  readonly random: () => number
}

/** Its keys have not been read yet, which a change will end. */
export class NotReady extends Error {
  override readonly name = 'NotReady'
}

const FIRST_RETRY_MS = 2_000
const LONGEST_RETRY_MS = 60_000

export function createRenderedFile(options: RenderedFileOptions): RenderedFile {
  const { settings, source, makeText, lost, signal, log, now, date, random } = options
  const { name, dest, settleMs, minIntervalMs, intervalMs } = settings
  const notifier = createNotifier()
  let state: TemplateState = 'waiting'
  let reason: string | null = 'it was not rendered yet'
  let since = date()
  let renderedAt: number | null = null
  let changedAt: number | null = null
  let counts = { renders: 0, failures: 0, changes: 0 }
  let consecutive = 0
  /** The file is in its place, but no reload is known to have succeeded since. */
  let isReloadOwed = false
  let isPrepared = false
  /** What was logged about a file that is left as it is. */
  let shown = ''
  let loggedFailure: string | null = null

  function enter(next: TemplateState, why: string | null): void {
    if (next !== state) since = date()
    state = next
    reason = why
  }

  function succeed(applied: Exclude<Applied, { kind: 'not-reloaded' }>, text: string): void {
    if (loggedFailure !== null)
      log.info({ template: name, dest }, `template ${name} is rendered again`)
    loggedFailure = null
    consecutive = 0
    isReloadOwed = false
    renderedAt = date()
    if (applied.kind === 'differs') noteDifference(applied, text)
    else enter('current', null)
    if (applied.kind === 'changed') noteChange(applied.what, applied.staged)
  }

  function noteChange(what: readonly string[], staged: string | null): void {
    changedAt = date()
    counts = { ...counts, changes: counts.changes + 1 }
    const kept = staged === null ? {} : { staged }
    log.info({ template: name, dest, what, ...kept }, `template ${name}: ${dest} is written`)
  }

  function noteDifference(
    { what, staged }: Extract<Applied, { kind: 'differs' }>,
    text: string,
  ): void {
    enter('differs', `it is not written (noop): ${what.join(', ')}`)
    const difference = `${what.join(', ')} ${hash('sha256', text, 'hex')}`
    if (difference === shown) return
    shown = difference
    const kept = staged === null ? {} : { staged }
    log.warn(
      { template: name, dest, what, ...kept },
      `template ${name}: ${dest} would be written (noop): ${what.join(', ')}`,
    )
  }

  function fail(why: string): void {
    consecutive += 1
    counts = { ...counts, failures: counts.failures + 1 }
    enter('failing', why)
    if (why === loggedFailure) return
    loggedFailure = why
    log.error({ template: name, dest, reason: why }, `template ${name} fails: ${why}`)
  }

  /** What a program before this one has left. */
  async function prepare(): Promise<void> {
    if (isPrepared || settings.noop) return
    isPrepared = true
    isReloadOwed = await isReloadDue(dest)
    const removed = await removeLeftovers(dest, date())
    if (removed > 0)
      log.info(
        { template: name, dest, removed },
        `template ${name}: ${removed} staged ${removed === 1 ? 'file' : 'files'} of a program that has ended ${removed === 1 ? 'is' : 'are'} removed`,
      )
  }

  async function renderOnce(): Promise<string | null> {
    let applied: Applied
    let text: string
    await prepare()
    counts = { ...counts, renders: counts.renders + 1 }
    try {
      text = await makeText()
      applied = await applyText(settings, text, { signal, isReloadOwed })
    } catch (error) {
      if (signal.aborted) return null
      const why = messageOf(error)
      if (error instanceof NotReady) {
        counts = { ...counts, renders: counts.renders - 1 }
        enter('waiting', why)
      } else fail(why)
      return why
    }
    if (applied.kind !== 'not-reloaded') {
      succeed(applied, text)
      return null
    }
    if (applied.isChanged) noteChange(['content'], null)
    isReloadOwed = true
    fail(applied.reason)
    if (signal.aborted) return null
    return applied.reason
  }

  /** Until a change, the interval, or another try. */
  function waitMs(): number | undefined {
    if (consecutive === 0) return intervalMs ?? undefined
    const ceiling = exponentialBackoff(FIRST_RETRY_MS, consecutive - 1, LONGEST_RETRY_MS)
    return Math.min(ceiling * (0.75 + random() / 2), intervalMs ?? Infinity)
  }

  async function pause(ms: number): Promise<void> {
    if (ms > 0) await passed(ms, null, { signal }).catch(() => null)
  }

  return {
    settings,
    notify: notifier.notify,
    report() {
      const away = lost()
      const why = state !== 'failing' && away !== null ? `its keys may be old: ${away}` : reason
      return {
        ...{ name, dest, source, state, since, renderedAt, changedAt },
        ...counts,
        reason: why,
      }
    },
    async follow() {
      signal.addEventListener('abort', notifier.notify)
      await prepare()
      let isFirst = true
      while (!signal.aborted) {
        const isChange = isFirst || (await notifier.wait(waitMs()))
        if (isChange && !isFirst) await pause(settleMs)
        // What came meanwhile is rendered, too.
        if (isChange) await notifier.wait(0)
        isFirst = false
        if (signal.aborted) break
        const began = now()
        await renderOnce()
        await pause(minIntervalMs - (now() - began))
      }
      signal.removeEventListener('abort', notifier.notify)
    },
    renderOnce,
  }
}
