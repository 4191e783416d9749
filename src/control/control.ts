/**
 * The control plane, assembled: follow -> accept -> merge -> admit -> expand names -> publish. It runs on the main thread,
 * and synchronously from a declaration to its publication, so that two changes never overlap.
 */
import { DAY_MS } from '../model/units.ts'
import type { WrittenSettings } from '../document/document.ts'
import type { Problem } from '../model/problem.ts'
import type { RouteOrder } from '../model/settings.ts'
import type { Challenge, Listener, Snapshot } from '../model/snapshot.ts'
import type { CertificateEntry } from '../observe/reports/certificate-list.ts'
import type { CertificateReport } from '../observe/reports/listener-report.ts'
import type { SourceReport } from '../observe/reports/source-report.ts'
import type { ObjectKind, ObjectName } from '../model/names.ts'
import type { Admission, SetAside } from './admission/admit.ts'
import { createCertificateList } from './review/certificate-list.ts'
import { createCertificateReview } from './review/certificate-review.ts'
import { describeFault, type OnFault } from '../observe/fault.ts'
import { toProblem } from './review/diagnostic.ts'
import { EMPTY_SNAPSHOT } from './publication/diff.ts'
import { uniteChanged, type ChangedIds } from './admission/tracked-map.ts'
import { createJournal } from './journal.ts'
import type { Log } from '../observe/log.ts'
import { createMerge } from './sources/merge.ts'
import type { NameExpansion } from './publication/name-expansion.ts'
import type { Publisher } from './publication/publisher.ts'
import type { SourceView } from './admission/decisions.ts'
import { countBySource } from './count-by-source.ts'
import { redact, type RedactedObject } from './redact.ts'
import { runAfter } from './publication/run-after.ts'
import { createStatusOf, type StatusOf } from './object-status.ts'
import { monotonic, sleepUntil } from './sleep.ts'
import { createDuplicateRoutes } from './review/duplicate-routes.ts'
import { openSource, type Reading, type Source, type SourceOptions } from './sources/source.ts'

export interface ControlOptions {
  /** In order of precedence. */
  readonly sources: readonly SourceOptions[]
  readonly admission: Admission
  readonly publisher: Publisher
  /** Names with `resolve: all` become servers on the way to the publisher. Absent: they stay names. */
  readonly names?: NameExpansion
  readonly log: Log
  /** Receives the file's settings after each change. Returns the problems of those that cannot come into force. */
  readonly onSettings?: (written: WrittenSettings) => readonly Problem[]
  /** Problems of what is beside control: orders of certificates. */
  readonly problemsBeside?: () => readonly Problem[]
  /** A problem has appeared, or is resolved. */
  readonly onProblem?: (problem: Problem, isResolved: boolean) => void
  /** A pass caused an exception. */
  readonly onFault?: OnFault
  /** How long the first table waits for sources that are required. */
  readonly startMs?: number
  /** ms of a monotonic clock. */
  readonly now?: () => number
  /** ms since the epoch, for reports. */
  readonly date?: () => number
  /** From 0 up to 1. */
  readonly random?: () => number
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>
  /** Absent: the most specific route goes first. */
  readonly routeOrder?: RouteOrder
  /** How often the files that objects name (certificates) are checked for changes. */
  readonly filesMs?: number
  /** How often changes and problems are logged, at most. */
  readonly logEveryMs?: number
}

/** Everything in force and set aside, with reasons and origins. Without secrets. */
export interface Table {
  readonly number: number
  readonly inForce: number
  readonly objects: Iterable<RedactedObject>
  readonly setAside: readonly SetAside[]
  /** Problems of sources and conflicts between them; settings without effect; certificates that expire soon; duplicate routes. */
  readonly problems: readonly Problem[]
  /** What serving threads cannot bring into force (a port in use). */
  readonly threadProblems: readonly string[]
  readonly sources: readonly SourceReport[]
}

export type Confirmation = 'confirmed' | 'nothing-held' | 'unknown'

export interface Control {
  /** Starts to follow all sources. Resolves when the first of them, the file, is read; rejects if it cannot be read. */
  open(): Promise<void>
  /**
   * Resolves once the first table is published, that is when every source has declared its objects, or has failed and has a last good
   * snapshot or is not required, or when `startMs` is over. Also resolves on `stop`.
   */
  start(): Promise<void>
  /** Reads all sources again, or one, and every file that objects name. Returns false if there is no such source. */
  reload(source?: string): boolean
  /** An operator confirms the held removals of a source. */
  confirm(source: string): Confirmation
  table(kind?: ObjectKind): Table
  /** Those of `table`, without the cost of the rest. */
  setAside(): readonly SetAside[]
  sources(): readonly SourceReport[]
  /** Of an object of a source, by what the source has now. */
  readonly statusOf: StatusOf
  /** What is published. Its maps are live. */
  snapshot(): Snapshot
  /** The listeners in force. */
  listeners(): Iterable<Listener>
  /**
   * Puts the challenges of all open orders into the listeners, in place of those before. Resolves once every serving thread has
   * them.
   */
  challenge(challenges: readonly Challenge[]): Promise<void>
  /** `problemsBeside` have changed. */
  noteProblems(): void
  /** The certificates of objects in force, with what declares them. */
  certificateList(): Iterable<CertificateEntry>
  /** The certificates of those listeners. */
  certificates(): readonly CertificateReport[]
  stop(): Promise<void>
}

/** The pause after a pass, in passes, so that a storm of changes leaves most of the thread to other work. */
const PAUSE_PER_PASS = 4
const MAX_PAUSE_MS = 50

export function createControl(options: ControlOptions): Control {
  const { admission, publisher, names: expansion, log } = options
  const { publish } = expansion ?? publisher
  const { now = monotonic, date = Date.now, random = Math.random, sleep = sleepUntil } = options
  const { startMs = 10_000, filesMs = 5000 } = options
  const { onFault = () => {}, onSettings = () => [], problemsBeside = () => [] } = options
  const journal = createJournal(log, options.logEveryMs, options.onProblem)
  const expiry = createCertificateReview()
  const listCertificates = createCertificateList()
  const duplicateRoutes = createDuplicateRoutes(options.routeOrder ?? 'specific')
  const context = { now, date, random, sleep, log, written: admission.written }
  const ready = new Map<Source, PromiseWithResolvers<void>>()
  const events = {
    onChange: applyChange,
    onStatusChange: logProblems,
    onLost: onSourceLost,
    onRecovered: onSourceRecovered,
    onHeld: onSourceHeld,
    onReleased: onSourceReleased,
  }
  const sources = options.sources.map((one) => openSource(one, context, events))
  const merge = createMerge(sources)
  publisher.listen({ onPublished: journal.published })
  expansion?.onProblems(logProblems)

  const stopping = new AbortController()
  let isStarted = false
  let published = EMPTY_SNAPSHOT
  /** The number of the last publication. */
  let latest = 0
  /** Changes that were admitted and not published: before the start, or after an exception. */
  let unpublished: ChangedIds | null = null
  let settingProblems: readonly Problem[] = []
  /** Why the last pass failed; the table before it stays in force. */
  let fault: string | null = null
  /** Names that changed since the last pass, and when the first did. */
  let touched: ObjectName[] = []
  let changedAt = Infinity
  let cancelPass: (() => void) | null = null
  let files: NodeJS.Timeout | null = null
  /** Days since the epoch. */
  let loggedDay = 0
  /** Of performance.now(). */
  let pauseUntil = 0
  /** Sources whose objects in force differ from what was saved last. */
  const unsaved = new Set<Source>()

  function applyChange(source: Source, names: readonly ObjectName[], reading: Reading): void {
    touch(names, reading.changedAt)
    if (reading.settings !== undefined) settingProblems = onSettings(reading.settings)
    if (names.length > 0 || reading.isList) unsaved.add(source)
    // Problems may have moved in the text.
    if (reading.isList) touch(admission.setAsideOf(source.name), reading.changedAt)
    if (!reading.isSaved) ready.get(source)?.resolve()
    // The text is available only during this call.
    if (reading.locate !== undefined) {
      runPass((name) => (name === source.name ? reading.locate : undefined))
    } else if (isStarted && touched.length > 0) {
      cancelPass ??= runAfter(runPass, pauseUntil - performance.now())
    }
    if (reading.isList) logProblems()
  }

  function touch(names: readonly ObjectName[], at: number): void {
    if (names.length === 0) return
    touched = touched.length === 0 ? [...names] : touched.concat(names)
    changedAt = Math.min(changedAt, at)
  }

  function runPass(locate: SourceView['locate'] = () => undefined): void {
    cancelPass?.()
    cancelPass = null
    const began = performance.now()
    const written = touched
    touched = []
    try {
      admitAndPublish(written, locate)
      fault = null
    } catch (error) {
      // Tried again with the next change or the next check of files.
      touched = written.concat(touched)
      fault = `a change ${describeFault(error)}; the table before it stays, and it is tried again`
      onFault(null, error)
      logProblems()
    }
    const tookMs = performance.now() - began
    pauseUntil = performance.now() + Math.min(MAX_PAUSE_MS, tookMs * PAUSE_PER_PASS)
  }

  function admitAndPublish(written: readonly ObjectName[], locate: SourceView['locate']): void {
    const names = merge.affected(written)
    const { snapshot, changed } = admission.admit({ names, merge, locate, revision })
    unpublished = unpublished === null ? changed : uniteChanged(unpublished, changed)
    // The first table waits for all sources: a part of them is not what is declared.
    if (!isStarted) return
    published = snapshot
    latest = publish(snapshot, changedAt, unpublished)
    unpublished = null
    changedAt = Infinity
    logProblems()
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
      ...(expansion?.problems() ?? []),
      ...expiry.diagnostics(admission.inForce(), date()).map((one) => toProblem(one)),
      ...problemsBeside(),
      ...(fault === null ? [] : [{ ...WHOLE_TABLE, message: fault }]),
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

  function logProblems(): void {
    if (isStarted) journal.problems(() => [...problems(), ...setAside()])
  }

  function onSourceLost(source: Source, error: Error): void {
    if (!isStarted && source === sources[0]) {
      ready.get(source)?.reject(error)
      return
    }
    journal.lost(source.name, error, source.origin !== 'nothing')
    // The start does not wait for a source that has a saved snapshot or is not required.
    if (!isStarted && (source.origin === 'disk' || !source.required)) ready.get(source)?.resolve()
  }

  function onSourceRecovered(source: Source): void {
    journal.recovered(source.name)
  }

  function checkFiles(): void {
    touch(admission.withChangedFiles(), now())
    if (touched.length > 0) runPass()
    // Certificates expire without a change.
    const day = Math.floor(date() / DAY_MS)
    if (day !== loggedDay) logProblems()
    loggedDay = day
  }

  function onSourceHeld(source: Source, message: string): void {
    journal.held(source.name, message)
  }

  function onSourceReleased(source: Source, reason: string, gone: number): void {
    journal.released(source.name, reason, gone)
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

  /** A saved snapshot must not keep the program from starting. */
  function restore(source: Source): void {
    try {
      source.restore()
    } catch (error) {
      onFault(null, error)
    }
  }

  async function stop(): Promise<void> {
    stopping.abort()
    cancelPass?.()
    if (files !== null) clearInterval(files)
    await Promise.all(sources.map((source) => source.stop()))
  }

  return {
    async open() {
      for (const source of sources) ready.set(source, Promise.withResolvers())
      const [file, ...others] = sources
      file?.start()
      try {
        if (file !== undefined) await ready.get(file)?.promise
      } catch (error) {
        await stop()
        throw error
      }
      // Saved snapshots are admitted before the sources declare anything: they are the last good versions of objects that are malformed now.
      for (const source of others) restore(source)
      runPass()
      for (const source of others) source.start()
    },
    async start() {
      const allReady = Promise.all([...ready.values()].map(({ promise }) => promise))
      await Promise.race([allReady, sleep(startMs, stopping.signal)])
      if (stopping.signal.aborted) return
      for (const { name, origin, required } of sources) {
        if (origin === 'disk') journal.restored(name)
        else if (origin === 'nothing' && required) journal.missing(name)
      }
      isStarted = true
      runPass()
      files = setInterval(checkFiles, filesMs)
      files.unref()
    },
    reload(name) {
      const wanted = sources.filter((source) => name === undefined || source.name === name)
      for (const source of wanted) source.reload()
      checkFiles()
      return wanted.length > 0
    },
    confirm(name) {
      const source = sources.find((one) => one.name === name)
      if (source === undefined) return 'unknown'
      const names = source.confirm()
      if (names === null) return 'nothing-held'
      touch(names, now())
      unsaved.add(source)
      runPass()
      return 'confirmed'
    },
    table: (kind) => ({
      number: publisher.number(),
      inForce: publisher.inForce(),
      objects: redacted(admission, kind),
      setAside: setAside(),
      problems: [
        ...sources.flatMap((source) => source.heldProblems()),
        ...problems(),
        ...duplicateRoutes.diagnostics(admission.inForce('frontend')).map((one) => toProblem(one)),
      ],
      threadProblems: publisher.threadProblems(),
      sources: reports(),
    }),
    setAside,
    sources: reports,
    statusOf: createStatusOf(merge, admission),
    noteProblems: logProblems,
    async challenge(challenges) {
      admission.challenge(challenges)
      runPass()
      if (fault !== null) throw new Error(fault)
      await publisher.whenInForce(latest)
    },
    snapshot: () => published,
    listeners: () => published.listeners.values(),
    certificateList: () => listCertificates(admission.inForce(), published.listeners.values()),
    certificates: () => expiry.reports(published.listeners.values()),
    stop,
  }
}

const WHOLE_TABLE = { kind: 'source', id: '', source: '', key: 'table' } as const

function* redacted(admission: Admission, kind?: ObjectKind): Generator<RedactedObject> {
  for (const version of admission.inForce(kind)) yield redact(version)
}
