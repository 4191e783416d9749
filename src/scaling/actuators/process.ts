/**
 * Processes of this machine, for tests and small sites: replica n serves at port + n - 1, and is the server of the backend with that
 * port on this machine. A server whose process does not accept connections gets no requests. The last replica is stopped first: it
 * gets no new requests, then SIGTERM once those in flight have ended, or `stop` is over, then SIGKILL.
 *
 * All of them end with this program. One that replaces it (a live upgrade) goes on with as many replicas as there are ports that
 * respond: each waits until the process of its predecessor has left its port. Until a number is set for the first time, any
 * other program starts nothing, and leaves the servers as they are.
 */
import { isIP } from 'node:net'
import { dirname } from 'node:path'
import type { ProcessActuatorSpec } from '../../model/actuator-spec.ts'
import { quote } from '../../model/parsed.ts'
import type { Actuator, ActuatorContext } from '../actuator.ts'
import { type Hold, type IsServer, whenIdle } from '../rotation.ts'
import { withReasons } from './failure.ts'
import { startOrphanGuard } from './orphan-guard.ts'
import { accepts, supervise, type SupervisedProcess } from './supervised-process.ts'

const MAX_PORT = 65_535
const NEVER = new AbortController().signal
/** Of the manager of services, for this program alone. */
const OWN_VARIABLES = ['NOTIFY_SOCKET', 'WATCHDOG_PID', 'WATCHDOG_USEC', 'SLUICE_LAUNCHER']

interface Replica {
  readonly process: SupervisedProcess
  /** It is to stop; null: it is to run. */
  leaving: Leaving | null
}

interface Leaving {
  readonly cancel: AbortController
  /** It has got its signal, which cannot be taken back. */
  isSignalled: boolean
  ended: Promise<void>
}

type Context = Pick<ActuatorContext, 'backend' | 'config' | 'rotation' | 'replaces' | 'log'>

export async function openProcesses(
  { command, port: firstPort, stopMs }: ProcessActuatorSpec,
  { backend, config, rotation, replaces, log }: Context,
): Promise<Actuator> {
  const what = `the processes of backend ${quote(backend)}`
  const replicas = new Map<number, Replica>()
  /** Numbers of replicas that accept connections and are to run. */
  const serving = new Set<number>()
  let wanted = 0
  let isClosed = false
  /** Null before a number is set. */
  let hold: Hold | null = null
  const guard = startOrphanGuard(stopMs, (reason) => {
    const risk = 'they outlive this program if it is killed'
    log.warn({ backend }, `${what} have no guard (${reason}): ${risk}`)
  })

  function beginHold(): void {
    hold ??= rotation.hold((server) => {
      const replica = replicaOf(server)
      return replica !== null && !serving.has(replica)
    })
  }

  /** Replicas that accept connections, from the first one on. */
  async function countListening(): Promise<number> {
    const known = new Set(rotation.servers().flatMap((server) => replicaOf(server) ?? []))
    let count = 0
    while (known.has(count + 1) && (await accepts(firstPort + count))) count += 1
    return count
  }

  /** The number of the replica that it is; null: it is none. */
  function replicaOf({ url }: Parameters<IsServer>[0]): number | null {
    const at = URL.parse(url)
    if (at === null || !isThisMachine(at.hostname)) return null
    const port = Number(at.port || (at.protocol === 'https:' ? 443 : 80))
    return port >= firstPort ? port - firstPort + 1 : null
  }

  function setServing(replica: number, isServing: boolean): void {
    if (isServing) serving.add(replica)
    else serving.delete(replica)
    hold?.update()
  }

  function start(number: number): SupervisedProcess {
    const port = firstPort + number - 1
    const fill = (word: string): string =>
      word.replaceAll(/\{(port|replica)\}/g, (_, name) => String(name === 'port' ? port : number))
    const process = supervise(
      {
        fields: { backend, replica: number },
        command: command.map(fill),
        cwd: dirname(config),
        env: { ...ownEnvironment(), PORT: String(port), REPLICA: String(number) },
        ...{ port, stopMs },
      },
      {
        ...{ guard, log },
        onListening: () => setServing(number, replicas.get(number)?.leaving === null),
        onEnded: () => setServing(number, false),
      },
    )
    replicas.set(number, { process, leaving: null })
    return process
  }

  /** Has it run. Resolves when it is started for the first time. */
  async function ensure(number: number): Promise<void> {
    const replica = replicas.get(number)
    if (replica === undefined) return start(number).started
    const { leaving, process } = replica
    if (leaving === null) return process.started
    if (leaving.isSignalled) {
      await leaving.ended
      if (!isClosed && number <= wanted) await ensure(number)
      return
    }
    leaving.cancel.abort()
    replica.leaving = null
    setServing(number, process.pid() !== null)
  }

  /** Ends in the background, which `ensure` may interrupt. */
  function retire(number: number): void {
    const replica = replicas.get(number)
    if (replica === undefined || replica.leaving !== null) return
    const leaving: Leaving = {
      cancel: new AbortController(),
      isSignalled: false,
      ended: Promise.resolve(),
    }
    replica.leaving = leaving
    leaving.ended = leave(number, replica, leaving)
  }

  async function leave(number: number, replica: Replica, leaving: Leaving): Promise<void> {
    const { signal } = leaving.cancel
    setServing(number, false)
    await whenIdle(rotation, (server) => replicaOf(server) === number, stopMs, signal)
    if (signal.aborted) return
    leaving.isSignalled = true
    await replica.process.stop()
    if (replicas.get(number) === replica) replicas.delete(number)
  }

  async function startAll(count: number): Promise<void> {
    const started = Array.from({ length: count }, async (_, at) => {
      try {
        await ensure(at + 1)
      } catch (error) {
        await replicas.get(at + 1)?.process.stop()
        replicas.delete(at + 1)
        throw error
      }
    })
    const failed = (await Promise.allSettled(started)).find(({ status }) => status === 'rejected')
    if (failed?.status === 'rejected') throw failed.reason
  }

  if (replaces) {
    wanted = await countListening()
    for (let number = 1; number <= wanted; number++) {
      serving.add(number)
      start(number)
    }
    beginHold()
  }
  return withReasons(what, {
    async setReplicas(count) {
      const last = firstPort + count - 1
      if (last > MAX_PORT) throw new Error(`the last one would have port ${last}`)
      wanted = count
      beginHold()
      for (const number of replicas.keys()) if (number > count) retire(number)
      await startAll(count)
    },
    async observed() {
      if (hold === null) return countListening()
      return [...replicas.values()].filter(({ leaving }) => leaving === null).length
    },
    async close() {
      isClosed = true
      for (const { leaving } of replicas.values()) leaving?.cancel.abort()
      serving.clear()
      hold?.update()
      const isOurs: IsServer = (server) => replicas.has(replicaOf(server) ?? 0)
      await whenIdle(rotation, isOurs, stopMs, NEVER)
      await Promise.all([...replicas.values()].map(({ process }) => process.stop()))
      replicas.clear()
      hold?.release()
      guard.close()
    },
  })
}

function isThisMachine(host: string): boolean {
  const name = host.replace(/^\[|\]$/g, '')
  return name === 'localhost' || name === '::1' || (isIP(name) === 4 && name.startsWith('127.'))
}

function ownEnvironment(): NodeJS.ProcessEnv {
  const env = { ...process.env }
  for (const name of OWN_VARIABLES) delete env[name]
  return env
}
