/**
 * A service of a compose project: `docker compose up --detach --no-recreate --no-deps --scale SERVICE=N SERVICE`. Compose itself
 * removes the containers with the highest numbers; these get no new requests before it is called. It waits for containers to stop,
 * which may take longer than a call may: then `setReplicas` resolves before it has ended.
 */
import { dirname } from 'node:path'
import { setTimeout as passed } from 'node:timers/promises'
import type { ComposeActuatorSpec } from '../../model/actuator-spec.ts'
import { messageOf } from '../../model/error-message.ts'
import { isMap, quote } from '../../model/parsed.ts'
import { type ProgramOptions, runProgram } from '../../model/run-program.ts'
import { toId } from '../../providers/labels/definition.ts'
import { beside } from '../../providers/source-kind.ts'
import type { Actuator, ActuatorContext } from '../actuator.ts'
import { type IsServer, whenIdle } from '../rotation.ts'
import { cannotScale, reasonOf, withReasons } from './failure.ts'

/** Of `up`: it may wait for containers to stop. */
const UP_MS = 300_000
/** A command that has not failed by then is taken to be accepted. */
const ACCEPTED_MS = 5_000
const LIST_MS = 4_500
/** To start compose costs about a tenth of a second of a core. */
const LISTED_MS = 10_000
const DRAIN_MS = 10_000
/** Of what has not ended in time, between SIGTERM and SIGKILL. */
const GRACE_MS = 5_000
const MAX_OUTPUT = 1 << 20

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
  // `docker compose`, without options.
  const shown = command.filter((word, at) => at === 0 || (at === 1 && /^\w/.test(word)))
  const failed = `${quote(shown.join(' '))} failed`
  let listed: { readonly replicas: number; readonly at: number } | null = null
  /** `up` that has not ended. */
  let running: { readonly replicas: number; readonly ended: Promise<void> } | null = null

  function run(
    args: readonly string[],
    limits: Pick<ProgramOptions, 'signal' | 'timeoutMs' | 'graceMs'>,
  ): Promise<string> {
    return runProgram([...base, ...args], { failed, cwd, maxOutput: MAX_OUTPUT, ...limits })
  }

  async function list(signal: AbortSignal): Promise<readonly ComposeContainer[]> {
    const output = await run(['ps', '--format', 'json', service], {
      ...{ signal, timeoutMs: LIST_MS, graceMs: 0 },
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
      await run(['up', '--detach', '--no-recreate', '--no-deps', ...scale], {
        ...{ signal: closing.signal, timeoutMs: UP_MS, graceMs: GRACE_MS },
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
      (error: unknown) => new Error(messageOf(error), { cause: error }),
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

  return withReasons(what, {
    setReplicas: set,
    async observed(signal) {
      if (running !== null) return running.replicas
      if (listed !== null && performance.now() - listed.at < LISTED_MS) return listed.replicas
      return (await list(signal)).length
    },
    async close() {
      closing.abort(new Error('the actuator was closed'))
      await running?.ended
    },
  })
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
