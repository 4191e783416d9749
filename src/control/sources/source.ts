/** One source: its provider, the accepted objects of what it declares, and its last good snapshot on disk. */
import { describeProblem, type Problem } from '../../model/problem.ts'
import type { ShrinkSettings } from '../../model/settings.ts'
import { OBJECT_KINDS, type ObjectKind, type ObjectName } from '../../model/names.ts'
import type { Declaration, DeclaredObject, Provider, Unreadable } from '../../providers/provider.ts'
import type { SourceReport } from '../../observe/reports/source-report.ts'
import { followProvider } from './follow.ts'
import type { Follower, FollowOptions } from './follow.ts'
import { createInventory } from './inventory.ts'
import type { Held, Inventory } from './inventory.ts'
import type { Log } from '../../observe/log.ts'
import { createLastGoodSaver } from './last-good-saver.ts'
import type { LastGoodFile } from './last-good.ts'
import { keyOf } from './object-index.ts'

export interface SourceOptions {
  readonly provider: Provider
  /** `file`, `etcd`, `redis`, `files`, `store`. */
  readonly kind: string
  /** Its path, if it is on this machine. */
  readonly path?: string
  /** The first table waits for it. */
  readonly required: boolean
  readonly shrink: ShrinkSettings
  /** Null: it is not saved. */
  readonly lastGood: LastGoodFile | null
}

export interface SourceEvents {
  /** Accepted objects changed. `reading.locate` works only during the call. */
  readonly onChange: (source: Source, names: readonly ObjectName[], reading: Reading) => void
  /** Its problems changed. */
  readonly onStatusChange: (source: Source) => void
  readonly onLost: (source: Source, error: Error) => void
  readonly onRecovered: (source: Source) => void
  /** Removals are held. */
  readonly onHeld: (source: Source, message: string) => void
  /** A hold, and its reason, is over; `gone`: how many objects were removed. */
  readonly onReleased: (source: Source, reason: string, gone: number) => void
}

export interface SourceContext extends Pick<FollowOptions, 'now' | 'date' | 'random' | 'sleep'> {
  readonly log: Log
  /** The declarations of a source whose versions are in force. */
  readonly written: (source: string) => Iterable<DeclaredObject>
}

export interface Reading {
  readonly changedAt: number
  readonly isList: boolean
  /** It is the snapshot saved before this start. */
  readonly isSaved: boolean
  readonly locate: Declaration['locate']
  /** Of the file; available only during the call. */
  readonly settings?: Declaration['settings']
}

export interface Source {
  readonly name: string
  readonly required: boolean
  objects(kind: ObjectKind): ReadonlyMap<string, DeclaredObject>
  hasServersOf(backend: string): boolean
  revision(): string
  /** Unreadable parts of it. */
  problems(): readonly Problem[]
  /** The hold, which is logged when it begins and ends. */
  heldProblems(): readonly Problem[]
  /** Where its accepted objects come from: `disk` (saved before this start) until the source itself has declared its objects. */
  readonly origin: 'nothing' | 'disk' | 'source'
  /** Loads the snapshot saved before this start, if there is one. The first declaration of the source is compared with it. */
  restore(): void
  start(): void
  reload(): void
  /** Accepts the held removals; null: nothing is held. */
  confirm(): readonly ObjectName[] | null
  /** Schedules a save of the last good snapshot, for a start without the source. */
  save(): void
  report(admitted: { readonly setAside: number; readonly conflicts: number }): SourceReport
  stop(): Promise<void>
}

/** A last good version with the key of the latest declaration: the object may have moved to another file. */
function withKeyOf({ key, part }: DeclaredObject, version: DeclaredObject): DeclaredObject {
  if (version.key === key && version.part === part) return version
  return part === undefined ? { ...version, key } : { ...version, key, part }
}

/** Node fires a longer timer immediately. */
const MAX_TIMER_MS = 2 ** 31 - 1

export function openSource(
  options: SourceOptions,
  world: SourceContext,
  events: SourceEvents,
): Source {
  const { provider, lastGood } = options
  const { now, date, log, written } = world
  const stopping = new AbortController()
  const inventory: Inventory = createInventory({ shrink: options.shrink })
  let problems: readonly Problem[] = []
  let unreadable: readonly Problem[] = []
  let follower: Follower | null = null
  let timer: NodeJS.Timeout | null = null
  /** `disk` until the source itself has declared its objects. */
  let origin: Source['origin'] = 'nothing'
  let revision = ''
  /** The saved snapshot has held objects, and the source has not declared anything yet. */
  let wasHeld = false
  let isLost = false
  let savedAt: number | null = null
  /** Why the saved snapshot cannot be used. */
  let unusable: string | null = null
  const saver =
    lastGood === null
      ? null
      : createLastGoodSaver({
          source: provider.name,
          lastGood: { save: saveTo(lastGood) },
          collect: () => ({
            objects: goodVersions(),
            revision,
            memory: provider.checkpoint?.() ?? '',
            isHeld: inventory.held() !== null,
          }),
          log,
        })

  function saveTo(file: LastGoodFile): LastGoodFile['save'] {
    return async (objects, of, memory, isHeld) => {
      const result = await file.save(objects, of, memory, isHeld)
      if (!result.saved) return result
      savedAt = result.at
      unusable = null
      return result
    }
  }

  /** Its objects: the last good version of a malformed one, and also those that wait for another source. */
  function* goodVersions(): Generator<DeclaredObject> {
    const versions = new Map<string, DeclaredObject>()
    for (const object of written(provider.name)) versions.set(keyOf(object), object)
    for (const kind of OBJECT_KINDS) {
      for (const object of inventory.objects(kind).values()) {
        const version = withKeyOf(object, versions.get(keyOf(object)) ?? object)
        if (version.fault === undefined || version.closed !== undefined) yield version
      }
    }
  }

  function take(declaration: Declaration): void {
    problems = declaration.problems.map((one) => ({ ...one, source: provider.name }))
    unreadable = []
    revision = declaration.revision
    origin = 'source'
    // The source may have lost objects before this start, without a sign of it now.
    const whole = withUnread(wasHeld ? { ...declaration, listed: 'held' } : declaration)
    wasHeld = false
    const names = reportingHeld(() => inventory.take(whole, now()))
    if (isLost) events.onRecovered(source)
    isLost = false
    const { changedAt, locate, listed, settings } = declaration
    events.onChange(source, names, {
      changedAt,
      locate,
      isList: listed !== null,
      isSaved: false,
      ...(settings === undefined ? {} : { settings }),
    })
    scheduleNextCheck()
  }

  function reportingHeld(act: () => readonly ObjectName[]): readonly ObjectName[] {
    const before = inventory.held()
    const names = act()
    const after = inventory.held()
    // The snapshot records that objects are held.
    if ((before === null) !== (after === null)) source.save()
    if (before === null && after !== null) events.onHeld(source, describeHeld(after))
    if (before === null || after !== null) return names
    const gone = names.filter(({ kind, id }) => !inventory.objects(kind).has(id)).length
    events.onReleased(source, before.reason, gone)
    return names
  }

  /** Adds the last objects of parts that cannot be read (a file of a directory). */
  function withUnread(declaration: Declaration): Declaration {
    const { objects, isUnread } = declaration
    if (isUnread === undefined) return declaration
    const declared = [...objects]
    const known = OBJECT_KINDS.flatMap((kind) => [...inventory.objects(kind).values()])
    const unread = known.filter(isUnread)
    const names = new Set(declared.map(keyOf))
    const missing = unread.filter((object) => !names.has(keyOf(object)))
    return { ...declaration, objects: [...declared, ...missing] }
  }

  function logMoved(from: readonly string[]): void {
    const { name } = provider
    const [of = 'a place that it does not name'] = from
    log.warn(
      { source: name, from },
      `source "${name}" begins anew: what was saved of it before this start is of another place, ${of}`,
    )
  }

  function takeUnreadable(reading: Unreadable): void {
    unreadable = reading.problems
    events.onStatusChange(source)
  }

  /** The error of the follower, or the unreadable files that caused it. */
  function describeError(error: string | null): string | null {
    const isUnread = error === null || unreadable.some(({ message }) => error.includes(message))
    return isUnread ? describeAll([...unreadable, ...problems]) : error
  }

  function lose(error: Error): void {
    // Reported once, not at each attempt.
    if (!isLost) events.onLost(source, error)
    isLost = true
  }

  // Holds and damping end without a declaration.
  function scheduleNextCheck(): void {
    if (timer !== null) clearTimeout(timer)
    timer = null
    const at = inventory.nextDueAt()
    if (at === null || stopping.signal.aborted) return
    timer = setTimeout(
      () => {
        try {
          const time = now()
          if (inventory.needsList(time)) provider.reload()
          const names = inventory.due(time)
          const reading = { changedAt: time, locate: undefined, isList: false, isSaved: false }
          if (names.length > 0) events.onChange(source, names, reading)
          scheduleNextCheck()
        } catch (error) {
          // The next declaration schedules it again.
          log.error({ err: error, source: provider.name }, 'internal fault at the end of a hold')
        }
      },
      Math.min(MAX_TIMER_MS, Math.max(1, Math.ceil(at - now()))),
    )
    timer.unref()
  }

  function describeHeld({ reason, until }: Held): string {
    const confirm = `curl -X POST -H 'Content-Type: application/json' ADMIN/api/providers/${provider.name}/confirm`
    const end =
      until === null
        ? `until an operator confirms it: ${confirm}`
        : 'until a second list confirms it'
    return `${reason}: what vanished stays in force ${end}`
  }

  /** From the monotonic clock to ms since the epoch. */
  function toDates(held: Held | null): Held | null {
    if (held === null) return null
    const ahead = Math.round(date() - now())
    const { since, until } = held
    return { ...held, since: since + ahead, until: until === null ? null : until + ahead }
  }

  function held(): Problem[] {
    const pending = inventory.held()
    if (pending === null) return []
    const message = describeHeld(pending)
    return [{ kind: 'source', id: '', message, source: provider.name, key: provider.name }]
  }

  function unusableProblems(): Problem[] {
    if (unusable === null) return []
    return [
      { kind: 'source', id: '', message: unusable, source: provider.name, key: provider.name },
    ]
  }

  function count(): number {
    return OBJECT_KINDS.reduce((sum, kind) => sum + inventory.objects(kind).size, 0)
  }

  const source: Source = {
    name: provider.name,
    required: options.required,
    objects: (kind) => inventory.objects(kind),
    hasServersOf: inventory.hasServersOf,
    revision: () => revision,
    problems: () => [...unreadable, ...problems, ...unusableProblems()],
    heldProblems: held,
    get origin() {
      return origin
    },
    restore() {
      const before = lastGood?.load() ?? { state: 'none' }
      if (before.state === 'unusable') unusable = before.reason
      if (before.state === 'moved') logMoved(before.from)
      if (before.state !== 'good') return
      const { objects, memory } = before
      if (memory !== undefined) provider.restore?.(memory)
      wasHeld = before.isHeld === true
      savedAt = before.savedAt
      revision = before.revision
      origin = 'disk'
      const declaration: Declaration = {
        readable: true,
        revision,
        objects,
        changes: null,
        listed: 'last-good',
        problems: [],
        changedAt: now(),
      }
      const names = inventory.take(declaration, now())
      const reading = { changedAt: now(), locate: undefined, isList: true, isSaved: true }
      events.onChange(source, names, reading)
    },
    start() {
      follower = followProvider(provider, {
        signal: stopping.signal,
        ...world,
        onDeclaration: take,
        onUnreadable: takeUnreadable,
        onLost: lose,
      })
    },
    reload: () => provider.reload(),
    confirm() {
      if (inventory.held() === null) return null
      const names = reportingHeld(() => inventory.confirm(now()))
      scheduleNextCheck()
      return names
    },
    save() {
      // Before the source has declared its objects, the file on disk is current. A source that never had an object needs none.
      if (origin === 'source' && (savedAt !== null || count() > 0)) saver?.scheduleSave()
    },
    report({ setAside, conflicts }) {
      const status = follower?.status()
      return {
        name: provider.name,
        kind: options.kind,
        ...(options.path === undefined ? {} : { path: options.path }),
        state: status?.state ?? 'connecting',
        since: status?.since ?? date(),
        revision: origin === 'nothing' ? null : revision,
        error: describeError(status?.error ?? null),
        required: options.required,
        objects: count(),
        setAside: setAside + problems.length,
        conflicts,
        lastSyncAt: status?.lastSyncAt ?? null,
        lastEventAt: status?.lastEventAt ?? null,
        events: status?.events ?? 0,
        resyncs: status?.resyncs ?? {},
        losses: status?.losses ?? 0,
        flaps: inventory.flaps,
        held: toDates(inventory.held()),
        lastGood:
          saver === null
            ? null
            : { savedAt, serving: origin === 'disk', error: saver.failure() ?? unusable },
      }
    },
    async stop() {
      stopping.abort()
      if (timer !== null) clearTimeout(timer)
      await follower?.done
      await saver?.stop()
    },
  }
  return source
}

/** The first problems as one text; null: there are none. */
function describeAll(problems: readonly Problem[]): string | null {
  if (problems.length === 0) return null
  const shown = problems.slice(0, MAX_SHOWN).map(describeProblem)
  const left = problems.length - shown.length
  return [...shown, ...(left > 0 ? [`and ${left} more`] : [])].join('; ')
}

const MAX_SHOWN = 3
