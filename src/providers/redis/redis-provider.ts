/**
 * Redis as a source of declarations. Redis itself promises no reader that it hears everything, so a watch is:
 *
 *   listen      to the log of our own writers (numbered, log.ts) and to keyspace events (hints.ts), on links
 *               of their own; whoever may not have those events polls
 *   list        all keys below the prefix; what is heard meanwhile is looked at afterwards
 *   then        read again each key that was heard of, or whose time to live is over by our own clock, and yield what is
 *               different; list again after a gap, when fewer keys are left than we know of, when asked, and from time to time.
 *               Where events cannot be had, a list every 2 s finds what they would have told, and it is taken so: one by one
 *
 * Whatever is heard is only ever a reason to look: what is yielded was read from the key itself, so order, repetition and
 * lies in what was heard do not matter. A link that is lost or silent ends the watch. How keys are named, also in a
 * cluster: names.ts; what a key's revision is: reading.ts; how they are written: store.ts.
 *
 * A user of its own needs `~<prefix>/* ~<prefix>:* &__keyspace@0__:<prefix>/* +@read +multi +exec +ping +psubscribe`, and with
 * `+config|get +config|set` it need not poll; with `+info` it is known when Redis was started again, see marks.ts.
 */
import type { RedisSource } from '../../model/source-spec.ts'
import type { Layout } from '../registry/mirror.ts'
import type { Declaration, Provider } from '../provider.ts'
import { toFailure } from './failure.ts'
import { askForEvents, hintTimeoutMs, listenForHints } from './hints.ts'
import { openHomes } from './homes.ts'
import { openLink } from './link.ts'
import type { Link } from './link.ts'
import { openLog } from './log.ts'
import { createMarks } from './marks.ts'
import type { Loss, Marks } from './marks.ts'
import { createKeyNames } from './names.ts'
import { createNews } from './news.ts'
import type { Heard } from './news.ts'
import { createReader } from './reader.ts'

export { openRedisKeys } from './store.ts'

export interface RedisProviderOptions {
  readonly reconcileMs?: number
  readonly now?: () => number
  /** From 0 up to 1. */
  readonly random?: () => number
}

/** For an answer; XREAD may wait half of its time for something to answer. With the pulse, less than a silence may last. */
const timeoutMs = 3_000
const logTimeoutMs = 4_000
/** When nothing is heard, the link that lists must have a word so often. */
const pulseMs = 1_500
/** How often to list where Redis sends no events. */
const pollMs = 2_000
/** A source that raises doubts all the time is not listed all the time. */
const doubtMs = 250

export function createRedisProvider(
  spec: RedisSource,
  layout: Layout,
  options: RedisProviderOptions = {},
): Provider {
  const { reconcileMs = 30_000, now = () => performance.now(), random = Math.random } = options
  const reloads = new Set<() => void>()
  const marks = createMarks()
  return {
    name: spec.name,
    watch: (signal) =>
      watchRedis(spec, layout, { reconcileMs, now, random }, signal, reloads, marks),
    memory: () => marks.text,
    recall: marks.recall,
    reload() {
      for (const reload of reloads) reload()
    },
  }
}

async function* watchRedis(
  spec: RedisSource,
  layout: Layout,
  { reconcileMs, now, random }: Required<RedisProviderOptions>,
  signal: AbortSignal,
  reloads: Set<() => void>,
  marks: Marks,
): AsyncGenerator<Declaration, void, undefined> {
  if (signal.aborted) return
  const names = createKeyNames(spec.prefix)
  const links: Link[] = []
  // Whatever waits for an answer on any of them is not to wait any longer.
  const closeAll = (): void => {
    for (const link of links) link.close()
  }
  const news = createNews(now, closeAll)
  const loops: Promise<void>[] = []

  let owed: string | null = 'first'
  let listedAt = -Infinity
  let reconcileAt = Infinity
  let areEventsOn = false
  let lostMeanwhile: Loss | null = null

  const ask = (): void => news.doubt('asked')
  const stop = (): void => {
    closeAll()
    news.doubt('stopped')
  }
  reloads.add(ask)
  signal.addEventListener('abort', stop)

  function own(link: Link): Link {
    links.push(link)
    link.onLost(news.fail)
    return link
  }

  /** True when keyspace events may be had. */
  async function listen(homes: readonly Link[]): Promise<boolean> {
    let isSubscribed = true
    for (const [home, { where }] of homes.entries()) {
      const link = own(await openLink(spec, where, { timeoutMs: hintTimeoutMs, signal }))
      const database = spec.cluster ? 0 : spec.database
      if (!(await listenForHints(link, home, names, database, news))) isSubscribed = false
    }
    const [first] = homes
    if (first === undefined || (spec.cluster && !names.isTagged)) return isSubscribed
    const link = own(await openLink(spec, first.where, { timeoutMs: logTimeoutMs, signal }))
    const log = await openLog(link, names)
    loops.push(log.listen(news))
    return isSubscribed
  }

  function reasonToList(): string | null {
    const nowMs = performance.now()
    if (owed !== null) return owed === 'asked' || nowMs >= listedAt + doubtMs ? owed : null
    if (nowMs >= reconcileAt) return 'reconcile'
    return !areEventsOn && nowMs >= listedAt + pollMs ? 'poll' : null
  }

  function nextListAt(): number {
    if (owed !== null) return listedAt + doubtMs
    return areEventsOn ? reconcileAt : Math.min(reconcileAt, listedAt + pollMs)
  }

  try {
    const homes = (await openHomes(spec, names, { timeoutMs, signal })).map(own)
    const isSubscribed = await listen(homes)
    const reader = createReader(homes, names, layout)
    let heard: Heard = news.take()
    let pulseAt = performance.now() + pulseMs

    while (!signal.aborted) {
      const changedAt = heard.since ?? now()
      const reason = reasonToList()
      if (reason !== null) {
        owed = null
        listedAt = performance.now()
        // Each time: somebody may have set them anew.
        areEventsOn = isSubscribed && (await Promise.all(homes.map(askForEvents))).every(Boolean)
        // Twice: it may have gone back just now, before the list or while it was read.
        const before = lostMeanwhile ?? (await marks.look(homes, names))
        const isQuiet = reason === 'poll' || (reason === 'fewer' && !areEventsOn)
        const isStep = isQuiet && before === null
        const isDifferent = await reader.list(isStep)
        // What was read may be from before it: the next list is doubted, too.
        lostMeanwhile = await marks.look(homes, names)
        const loss = before ?? lostMeanwhile
        if (!isStep) reconcileAt = listedAt + reconcileMs * (1 + random() / 5)
        if (!isStep || isDifferent || loss !== null) {
          const listed = loss ?? (isStep ? null : reason)
          yield reader.declare(reason === 'log' ? reason : listed, changedAt)
        }
      } else {
        const paths = new Map([...heard.paths, ...reader.due()])
        if (paths.size > 0) {
          if (await reader.read(paths)) yield reader.declare(null, changedAt)
        } else if (performance.now() >= pulseAt) {
          // Only when nothing was heard: a delete that is still on its way to us has been counted already.
          if (await reader.hasFewer()) news.doubt('fewer')
          pulseAt = performance.now() + pulseMs
        }
      }

      const wakeAt = Math.min(nextListAt(), reader.nextDeadline(), pulseAt)
      await news.wait(Math.max(0, wakeAt - performance.now()))
      heard = news.take()
      owed = heard.doubt === 'asked' ? 'asked' : (owed ?? heard.doubt)
    }
  } catch (error) {
    if (signal.aborted) return
    // A link that ended knows better why than the command that it took along.
    news.take()
    throw toFailure(error, `cannot read Redis "${spec.name}"`)
  } finally {
    signal.removeEventListener('abort', stop)
    reloads.delete(ask)
    closeAll()
    await Promise.all(loops)
  }
}
