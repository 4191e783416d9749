/**
 * A service of a compose project: `docker compose up --detach --no-recreate --no-deps --scale SERVICE=N SERVICE`. Compose itself
 * removes the containers with the highest numbers; these get no new requests before it is called. It waits for containers to stop,
 * which may take longer than a call may: then `setReplicas` resolves before it has ended.
 */
import { dirname } from 'node:path'
import { setTimeout as passed } from 'node:timers/promises'
import type { ComposeActuatorSpec } from '../../model/actuator-spec.ts'
import { isMap, quote } from '../../model/parsed.ts'
import { toId } from '../../providers/labels/definition.ts'
import { beside } from '../../providers/source-kind.ts'
import type { Actuator, ActuatorContext } from '../actuator.ts'
import { type IsServer, whenIdle } from '../rotation.ts'
import { cannotObserve, cannotScale, reasonOf } from './failure.ts'
import { runCommand } from './run-command.ts'

/** Of `up`: it may wait for containers to stop. */
const UP_MS = 300_000
/** A command that has not failed by then is taken to be accepted. */
const ACCEPTED_MS = 5_000
const LIST_MS = 4_500
/** To start compose costs about a tenth of a second of a core. */
const LISTED_MS = 10_000
const DRAIN_MS = 10_000

interface ComposeContainer {
  readonly name: string
  /** Counted from 1. */
  readonly number: number
}

type Context = Pick<ActuatorContext, 'backend' | 'config' | 'rotation' | 'log'>

export function openCompose(
  { service, files, project, command }: ComposeActuatorSpec,
  { backend, config, rotation, log }: Context,
): Actuator {
  const what = `the compose service ${quote(service)}`
  const closing = new AbortController()
  const base = [
    ...command,
    ...['--ansi', 'never'],
    ...files.flatMap((file) => ['--file', beside(config, file)]),
    ...(project === null ? [] : ['--project-name', project]),
  ]
  const cwd = dirname(config)
  let listed: { readonly replicas: number; readonly at: number } | null = null
  /** `up` that has not ended. */
  let running: { readonly replicas: number; readonly ended: Promise<void> } | null = null

  async function list(signal: AbortSignal): Promise<readonly ComposeContainer[]> {
    const output = await runCommand([...base, 'ps', '--format', 'json', service], {
      ...{ cwd, signal, timeoutMs: LIST_MS, graceMs: 0 },
    })
    const found = parseContainers(output)
    listed = { replicas: found.length, at: performance.now() }
    return found
  }

  async function up(replicas: number, victims: ReadonlySet<string>): Promise<void> {
    const isVictim: IsServer = ({ id }) => victims.has(id)
    const hold = rotation.hold(isVictim)
    try {
      await whenIdle(rotation, isVictim, DRAIN_MS, closing.signal)
      const scale = ['--scale', `${service}=${replicas}`, service]
      await runCommand([...base, 'up', '--detach', '--no-recreate', '--no-deps', ...scale], {
        ...{ cwd, signal: closing.signal, timeoutMs: UP_MS },
      })
    } finally {
      hold.release()
      listed = null
    }
  }

  async function set(replicas: number, signal: AbortSignal): Promise<void> {
    if (running !== null) await orAborted(running.ended, signal)
    const before = await list(signal)
    if (before.length === replicas) return
    const victims = before
      .toSorted((one, other) => one.number - other.number)
      .slice(replicas)
      .map(({ name }) => toId(name))
    const outcome = up(replicas, new Set(victims)).then(
      () => null,
      (error: unknown) => (error instanceof Error ? error : new Error(String(error))),
    )
    running = { replicas, ended: outcome.then(() => void (running = null)) }
    const early = await Promise.race([outcome, accepted(signal)])
    if (early instanceof Error) throw early
    if (early === null) return
    void outcome.then((late) => {
      if (late === null || closing.signal.aborted) return
      log.warn({ backend, service }, cannotScale(what, replicas, late).message)
    })
  }

  return {
    async setReplicas(replicas, signal) {
      try {
        await set(replicas, signal)
      } catch (error) {
        throw cannotScale(what, replicas, error)
      }
    },
    async observed(signal) {
      if (running !== null) return running.replicas
      if (listed !== null && performance.now() - listed.at < LISTED_MS) return listed.replicas
      try {
        return (await list(signal)).length
      } catch (error) {
        throw cannotObserve(what, error)
      }
    },
    async close() {
      closing.abort(new Error('the actuator was closed'))
      await running?.ended
    },
  }
}

async function accepted(signal: AbortSignal): Promise<'accepted'> {
  await passed(ACCEPTED_MS, undefined, { signal, ref: false }).catch(() => {})
  return 'accepted'
}

async function orAborted(ended: Promise<void>, signal: AbortSignal): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>()
  const abort = (): void => reject(new Error('its last command has not ended'))
  if (signal.aborted) abort()
  signal.addEventListener('abort', abort, { once: true })
  await Promise.race([ended, promise]).finally(() => signal.removeEventListener('abort', abort))
}

/** A line of JSON for each container (since 2.21), or one list. Throws if it is neither. */
export function parseContainers(output: string): readonly ComposeContainer[] {
  const text = output.trim()
  if (text === '') return []
  let all: unknown[]
  try {
    all = text.startsWith('[')
      ? (JSON.parse(text) as unknown[])
      : text.split('\n').map((line): unknown => JSON.parse(line))
  } catch (cause) {
    throw new Error(`what compose writes is not JSON: ${reasonOf(cause)}`, { cause })
  }
  return all.flatMap((one) => {
    const { Name: name, State: state } = isMap(one) ? one : {}
    if (typeof name !== 'string') throw new Error('compose lists a container without a name')
    if (state !== 'running' && state !== 'restarting') return []
    return { name, number: Number(/\d+$/.exec(name)?.[0] ?? 0) }
  })
}
