/**
 * The control plane, assembled: follow -> accept -> merge -> admit -> publish. It runs on the main thread and in one piece
 * from a declaration to its publication, so that no two changes are ever half done at the same time.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { WrittenSettings } from '../document/document.ts'
import type { Problem } from '../model/problem.ts'
import type { Listener } from '../model/snapshot.ts'
import type { CertificateReport } from '../observe/reports/certificate-report.ts'
import type { SourceReport } from '../observe/reports/source-report.ts'
import type { ObjectName } from '../providers/provider.ts'
import type { Admission, SetAside } from './admission/admit.ts'
import { createCertificateExpiry, DAY_MS } from './review/certificate-expiry.ts'
import { describeFault, type OnFault } from '../observe/fault.ts'
import { toProblem } from './review/diagnostic.ts'
import { EMPTY_SNAPSHOT } from './publication/diff.ts'
import { uniteChanged, type ChangedIds } from './admission/tracked-map.ts'
import { createJournal } from './journal.ts'
import type { EventLog } from '../observe/log.ts'
import { createMerge } from './sources/merge.ts'
import type { Publisher } from './publication/publisher.ts'
import type { SourceView } from './admission/decisions.ts'
import { toShown } from './secrets.ts'
import type { Shown } from './secrets.ts'
import { runAfter } from './publication/run-after.ts'
import { createDuplicateRoutes } from './review/duplicate-routes.ts'
import { openSource } from './sources/source.ts'
import type { Reading, Source, SourceOptions } from './sources/source.ts'

export interface ControlOptions {
  /** In order of precedence. */
  readonly sources: readonly SourceOptions[]
  readonly admission: Admission
  readonly publisher: Publisher
  readonly log: EventLog
  /** The file's settings as they stand in it now. Answers what of them is not in force. */
  readonly onSettings?: (written: WrittenSettings) => readonly Problem[]
  /** A throw met a pass. */
  readonly onFault?: OnFault
  /** How long the first table waits for sources that are required. */
  readonly startMs?: number
  /** ms of a clock that never jumps. */
  readonly now?: () => number
  /** ms since the epoch, for people. */
  readonly date?: () => number
  /** From 0 up to 1. */
  readonly random?: () => number
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>
  /** How often the files that objects name (certificates) are looked at. */
  readonly filesMs?: number
}

/** What is in force, what is not and why, and where it all comes from. Without secrets. */
export interface Table {
  readonly number: number
  readonly inForce: number
  readonly objects: Iterable<Shown>
  readonly setAside: readonly SetAside[]
  /** Of sources, and between them; what is declared but not honoured; certificates that end soon; routes that say the same. */
  readonly problems: readonly Problem[]
  /** What serving threads could not bring into force, a port in use. */
  readonly threadProblems: readonly string[]
  readonly sources: readonly SourceReport[]
}

export type Confirmation = 'confirmed' | 'nothing-held' | 'unknown'

export interface Control {
  /** Begins to follow all sources. Resolves when the first of them, the file, is read; rejects if it cannot be. */
  open(): Promise<void>
  /**
   * Resolves once the first table is published: when every source has answered, or is away and has a last good snapshot,
   * or the time for that is over; or when it is stopped meanwhile.
   */
  start(): Promise<void>
  /** Every source is read again, and every file that objects name; or one source. False: there is no such source. */
  reload(source?: string): boolean
  /** An operator says that what vanished from a source, and is held, is gone. */
  confirm(source: string): Confirmation
  table(): Table
  /** Of the table, without making the rest of it. */
  setAside(): readonly SetAside[]
  sources(): readonly SourceReport[]
  /** Those in force. */
  listeners(): Iterable<Listener>
  /** Of those listeners. */
  certificates(): readonly CertificateReport[]
  stop(): Promise<void>
}

/** A pass that took long is followed by a longer pause, so that a storm of changes leaves most of the thread to others. */
const pausePerPass = 4
const longestPauseMs = 50

export function createControl(options: ControlOptions): Control {
  const { admission, publisher, log } = options
  const { now = monotonic, date = Date.now, random = Math.random, sleep = sleepUntil } = options
  const { startMs = 10_000, filesMs = 5000 } = options
  const { onFault = () => {}, onSettings = () => [] } = options
  const journal = createJournal(log)
  const expiry = createCertificateExpiry()
  const duplicateRoutes = createDuplicateRoutes()
  const world = { now, date, random, sleep, log, written: admission.written }
  const waiting = new Map<Source, PromiseWithResolvers<void>>()
  const events = {
    onDifferent: takeDifference,
    onTold: tell,
    onLost: lose,
    onBack: comeBack,
    onHold: hold,
    onHoldEnd: endHold,
  }
  const sources = options.sources.map((one) => openSource(one, world, events))
  const merge = createMerge(sources)
  publisher.listen({ onPublished: journal.changed })

  const stopping = new AbortController()
  let isStarted = false
  let published = EMPTY_SNAPSHOT
  /** Before the start: what was admitted already. */
  let unpublished: ChangedIds | null = null
  let settingProblems: readonly Problem[] = []
  /** Why the last pass was not finished: what was in force before it stays. */
  let fault: string | null = null
  /** What is different since the last pass, and since when. */
  let touched: ObjectName[] = []
  let changedAt = Infinity
  let callOff: (() => void) | null = null
  let files: NodeJS.Timeout | null = null
  /** Since the epoch. */
  let toldDay = 0
  /** Of performance.now(). */
  let restUntil = 0
  /** Sources of which something else is in force than what was saved last. */
  const unsaved = new Set<Source>()

  function takeDifference(source: Source, names: readonly ObjectName[], reading: Reading): void {
    note(names, reading.changedAt)
    if (reading.settings !== undefined) settingProblems = onSettings(reading.settings)
    if (names.length > 0 || reading.isList) unsaved.add(source)
    // What is wrong may stand elsewhere in the text now.
    if (reading.isList) note(admission.setAsideOf(source.name), reading.changedAt)
    if (!reading.isSaved) waiting.get(source)?.resolve()
    // Its text is there only until the source reads on.
    if (reading.locate !== undefined) {
      pass((name) => (name === source.name ? reading.locate : undefined))
    } else if (isStarted && touched.length > 0) {
      callOff ??= runAfter(pass, restUntil - performance.now())
    }
    if (reading.isList) tell()
  }

  function note(names: readonly ObjectName[], at: number): void {
    if (names.length === 0) return
    touched = touched.length === 0 ? [...names] : touched.concat(names)
    changedAt = Math.min(changedAt, at)
  }

  function pass(locate: SourceView['locate'] = () => undefined): void {
    callOff?.()
    callOff = null
    const began = performance.now()
    const written = touched
    touched = []
    try {
      passOver(written, locate)
      fault = null
    } catch (error) {
      // Looked at again with the next change, or with the next look at files.
      touched = written.concat(touched)
      fault = `a change ${describeFault(error)}; the table before it stays, and it is tried again`
      onFault(null, error)
      tell()
    }
    const tookMs = performance.now() - began
    restUntil = performance.now() + Math.min(longestPauseMs, tookMs * pausePerPass)
  }

  function passOver(written: readonly ObjectName[], locate: SourceView['locate']): void {
    const names = merge.affected(written)
    const { snapshot, changed } = admission.admit({ names, merge, locate, revision })
    unpublished = unpublished === null ? changed : uniteChanged(unpublished, changed)
    // Half of the sources is not what is declared: the first table waits for all of them.
    if (!isStarted) return
    published = snapshot
    publisher.publish(snapshot, changedAt, unpublished)
    unpublished = null
    changedAt = Infinity
    tell()
    for (const source of unsaved) source.save()
    unsaved.clear()
  }

  function revision(source: string): string {
    return sources.find(({ name }) => name === source)?.revision() ?? ''
  }

  function problems(): Problem[] {
    return [
      ...settingProblems,
      ...sources.flatMap((source) => source.problems()),
      ...merge.conflicts(),
      ...admission.remarks(),
      ...expiry.diagnostics(admission.inForce(), date()).map((one) => toProblem(one)),
      ...(fault === null ? [] : [{ ...wholeTable, message: fault }]),
    ]
  }

  function setAside(): readonly SetAside[] {
    const faults = publisher.faults()
    if (faults.length === 0) return admission.setAside()
    const unplaced = faults.flatMap(({ kind, id, message, serving }) => {
      const found = merge.find(kind, id)
      if (found === null) return []
      const { source, declared } = found
      return { kind, id, message, serving, source, key: declared.key }
    })
    return [...admission.setAside(), ...unplaced]
  }

  function tell(): void {
    if (isStarted) journal.problems(() => [...problems(), ...setAside()])
  }

  function lose(source: Source, error: Error): void {
    if (!isStarted && source === sources[0]) {
      waiting.get(source)?.reject(error)
      return
    }
    journal.lost(source.name, error, source.origin !== 'nothing')
    // Nothing better will come soon: what is saved serves, and what nobody has to wait for is not waited for.
    if (!isStarted && (source.origin === 'disk' || !source.required)) waiting.get(source)?.resolve()
  }

  function comeBack(source: Source): void {
    journal.back(source.name)
  }

  function lookAtFiles(): void {
    note(admission.withChangedFiles(), now())
    if (touched.length > 0) pass()
    // Certificates come to their end without a change.
    const day = Math.floor(date() / DAY_MS)
    if (day !== toldDay) tell()
    toldDay = day
  }

  function hold(source: Source, message: string): void {
    journal.held(source.name, message)
  }

  function endHold(source: Source, reason: string, gone: number): void {
    journal.holdEnded(source.name, reason, gone)
  }

  function reports(): SourceReport[] {
    const aside = countBySource(setAside())
    const conflicts = countBySource(merge.conflicts())
    return sources.map((source) => {
      const { name } = source
      return source.report({
        setAside: aside.get(name) ?? 0,
        conflicts: conflicts.get(name) ?? 0,
      })
    })
  }

  /** What was saved must not keep the program from starting. */
  function restore(source: Source): void {
    try {
      source.restore()
    } catch (error) {
      onFault(null, error)
    }
  }

  async function stop(): Promise<void> {
    stopping.abort()
    callOff?.()
    if (files !== null) clearInterval(files)
    await Promise.all(sources.map((source) => source.stop()))
  }

  return {
    async open() {
      for (const source of sources) waiting.set(source, Promise.withResolvers())
      const [file, ...others] = sources
      file?.start()
      try {
        if (file !== undefined) await waiting.get(file)?.promise
      } catch (error) {
        await stop()
        throw error
      }
      // What was saved is admitted before anybody answers: it is the last good version of what is malformed now.
      for (const source of others) restore(source)
      pass()
      for (const source of others) source.start()
    },
    async start() {
      const answered = Promise.all([...waiting.values()].map(({ promise }) => promise))
      await Promise.race([answered, sleep(startMs, stopping.signal)])
      if (stopping.signal.aborted) return
      for (const { name, origin, required } of sources) {
        if (origin === 'disk') journal.restored(name)
        else if (origin === 'nothing' && required) journal.without(name)
      }
      isStarted = true
      pass()
      files = setInterval(lookAtFiles, filesMs)
      files.unref()
    },
    reload(name) {
      const asked = sources.filter((source) => name === undefined || source.name === name)
      for (const source of asked) source.reload()
      lookAtFiles()
      return asked.length > 0
    },
    confirm(name) {
      const source = sources.find((one) => one.name === name)
      if (source === undefined) return 'unknown'
      const names = source.confirm()
      if (names === null) return 'nothing-held'
      note(names, now())
      unsaved.add(source)
      pass()
      return 'confirmed'
    },
    table: () => ({
      number: publisher.number(),
      inForce: publisher.inForce(),
      objects: shown(admission),
      setAside: setAside(),
      problems: [
        ...sources.flatMap((source) => source.held()),
        ...problems(),
        ...duplicateRoutes.diagnostics(admission.inForce()).map((one) => toProblem(one)),
      ],
      threadProblems: publisher.threadProblems(),
      sources: reports(),
    }),
    setAside,
    sources: reports,
    listeners: () => published.listeners.values(),
    certificates: () => expiry.reports(published.listeners.values()),
    stop,
  }
}

const wholeTable = { kind: 'source', id: '', source: '', key: 'table' } as const

function* shown(admission: Admission): Generator<Shown> {
  for (const version of admission.inForce()) yield toShown(version)
}

function monotonic(): number {
  return performance.now()
}

function countBySource(problems: readonly Problem[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const { source } of problems) counts.set(source, (counts.get(source) ?? 0) + 1)
  return counts
}

async function sleepUntil(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal })
  } catch (error) {
    if (!signal.aborted) throw error
  }
}
