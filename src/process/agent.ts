/** The program `sluice agent`, from its configuration to its end. */
import { hostname } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { createAgent, type Agent } from '../agent/agent.ts'
import { applyConfig, type AgentParts } from '../agent/apply-config.ts'
import { createCheck } from '../agent/checks/create-check.ts'
import { readAgentConfig, type ReadConfig } from '../agent/config/read-config.ts'
import { findHostAddress } from '../agent/containers/host-address.ts'
import { createFollowedContainers, type FollowedContainers } from '../agent/followed-containers.ts'
import { createHeartbeat } from '../agent/heartbeat.ts'
import { openRegistrar } from '../agent/registrar/catalog.ts'
import { startService, type ServiceProcess } from '../agent/service-process.ts'
import type { AgentConfig } from '../agent/spec/agent-spec.ts'
import type { AgentCommand } from '../cli/agent-words.ts'
import { resolveNamesBy } from '../dns/dialing.ts'
import { createLookup } from '../dns/lookup.ts'
import { openResolver } from '../dns/open-resolver.ts'
import { createProbe } from '../health/probe.ts'
import { formatAddress } from '../model/address.ts'
import { isEqual } from '../model/equal.ts'
import { messageOf } from '../model/error-message.ts'
import { createLog, type LeveledLog } from '../observe/log.ts'
import { openSink } from '../observe/sink.ts'
import { resolverSchema } from '../schema/resolver.ts'
import { serveAgentStatus } from './agent-status.ts'
import { listenForSignals } from './signals.ts'
import { openServiceManager, type ServiceManager } from './systemd/notify.ts'

/** What the removal gets beyond its time to say what is left. */
const REPORT_MS = 250
/** After everything is done. */
const END_WITHIN_MS = 200
const SIGTERM_CODE = 128 + 15

export interface AgentWorld {
  readonly env: NodeJS.ProcessEnv
  readonly version: string
  readonly print: (line: string) => void
  readonly complain: (line: string) => void
}

/** Resolves with the exit code. */
export async function runAgent(command: AgentCommand, world: AgentWorld): Promise<number> {
  const read = await readConfig(command, world)
  if (command.isCheck) return report(command.config, read, world.print)
  if (!read.ok) {
    for (const line of [...read.warnings, ...read.problems]) world.complain(`sluice: ${line}`)
    return 1
  }
  const sink = openSink(null)
  const log = createLog(command.logLevel ?? read.config.logLevel, sink)
  try {
    return await run(command, read, log, world)
  } catch (error) {
    world.complain(`sluice: ${messageOf(error)}`)
    return 1
  } finally {
    await sink.close()
    // Clients of a registry that does not answer may still wait for it.
    setTimeout(() => process.exit(), END_WITHIN_MS).unref()
  }
}

async function readConfig(
  { config, withContainers }: AgentCommand,
  { env }: AgentWorld,
): Promise<ReadConfig> {
  const place = { hostname: hostname(), hostAddress: await findHostAddress(), withContainers }
  return readAgentConfig(config, { env, ...place })
}

/** Of `--check`. */
function report(file: string, read: ReadConfig, print: AgentWorld['print']): 0 | 1 {
  for (const line of read.warnings) print(`warning: ${line}`)
  if (read.ok) {
    const { length } = read.config.services
    print(`${file}: ${length} ${length === 1 ? 'service' : 'services'}, no problems`)
    return 0
  }
  for (const line of read.problems) print(line)
  const count = countOf(read.problems)
  print(`${count} ${count === 1 ? 'problem' : 'problems'} in ${file}`)
  return 1
}

/** Of many problems the last line says how many more there are. */
function countOf(problems: readonly string[]): number {
  const more = /: and (\d+) more problems$/.exec(problems.at(-1) ?? '')?.[1]
  return more === undefined ? problems.length : problems.length - 1 + Number(more)
}

/** What the configuration is applied to. */
interface Parts extends AgentParts {
  readonly agent: Agent
  readonly containers: FollowedContainers
  readonly log: LeveledLog
  readonly manager: ServiceManager
}

async function run(
  command: AgentCommand,
  first: Extract<ReadConfig, { readonly ok: true }>,
  log: LeveledLog,
  world: AgentWorld,
): Promise<number> {
  for (const line of first.warnings) log.warn({}, line)
  let { config } = first
  const manager = openServiceManager({
    env: world.env,
    pid: process.pid,
    complain: (text) => log.error({}, text),
  })
  const resolver = openResolver(resolverSchema.parse(undefined), (text) => log.warn({}, text))
  const lookup = createLookup(resolver)
  resolver.start()
  resolveNamesBy(resolver.addressesOf)
  const probe = createProbe(world.version, lookup)
  const agent = createAgent({
    openRegistrar,
    createCheck: (spec, of) => createCheck(spec, of, { probe, lookup }),
    log,
    now: () => performance.now(),
  })
  const containers = createFollowedContainers(openRegistrar, log)
  const heartbeat = createHeartbeat(log)
  const parts = { agent, containers, heartbeat, log, manager }
  let service: ServiceProcess | null = null
  let reloading = Promise.resolve()
  let isStopping = false
  const signals = listenForSignals({
    reload: () => {
      // Each signal in its turn.
      reloading = reloading.then(async () => {
        if (!isStopping) config = await reload(command, config, parts, world)
      })
    },
    reopen: () => service?.signal('SIGUSR1'),
    upgrade: () => service?.signal('SIGUSR2'),
  })
  const statusReport = () => ({ ...agent.report(), containers: containers.registrations() })
  const status = config.status === null ? null : await serveAgentStatus(config.status, statusReport)
  try {
    if (command.service.length > 0) {
      service = await startService(command.service)
      const { pid, kill } = service
      process.once('exit', kill)
      log.info({ pid, command: command.service[0] }, 'the service is started')
    }
    await applyConfig(config, parts)
    const at = status === null ? {} : { status: formatAddress(status.address) }
    log.info({ services: namesOf(config), ...at, version: world.version }, 'watching')
    void manager.notify('READY=1', `STATUS=watching ${config.services.length} services`)

    const end = await Promise.race([signals.stop, ...(service === null ? [] : [service.ended])])
    isStopping = true
    void manager.notify('STOPPING=1')
    log.info(typeof end === 'number' ? { code: end } : { signal: end }, 'removing registrations')
    await reloading
    const isRemoved = await removeAll(parts, config.stopMs)
    if (!isRemoved) log.error({}, 'a registration may be left: it expires by its time to live')
    // A service that has ended gets no requests.
    if (typeof end !== 'number') await delay(config.drainMs)
    await service?.stop(command.killAfterMs)
    const code = await service?.ended
    log.info(code === undefined ? {} : { code }, 'stopped')
    // Ended by the agent's SIGTERM is as it should be.
    const isOwn = code === undefined || (typeof end !== 'number' && code === SIGTERM_CODE)
    return (isOwn ? 0 : code) || (isRemoved ? 0 : 1)
  } finally {
    service?.kill()
    heartbeat.stop()
    resolver.stop()
    resolveNamesBy(null)
    await status?.close()
    await manager.notify()
  }
}

async function removeAll({ agent, containers }: Parts, withinMs: number): Promise<boolean> {
  const late = new AbortController()
  const ended = Promise.all([agent.stop(withinMs), containers.stop(withinMs)])
  const removed = await Promise.race([
    ended.then((results) => results.every(Boolean)),
    delay(withinMs + REPORT_MS, false, { signal: late.signal }),
  ])
  late.abort()
  return removed
}

/** Returns the configuration that is in force then. */
async function reload(
  command: AgentCommand,
  before: AgentConfig,
  parts: Parts,
  world: AgentWorld,
): Promise<AgentConfig> {
  const { log, manager } = parts
  const read = await readConfig(command, world)
  if (!read.ok) {
    const [problem = ''] = read.problems
    const more = countOf(read.problems) - 1
    const left = more === 0 ? '' : `, and ${more} more problems`
    log.error({ problems: read.problems }, `the configuration before stays: ${problem}${left}`)
    return before
  }
  const monotonic = process.hrtime.bigint() / 1000n
  void manager.notify('RELOADING=1', `MONOTONIC_USEC=${monotonic}`)
  for (const line of read.warnings) log.warn({}, line)
  if (!isEqual(read.config.status, before.status))
    log.warn({}, 'status: needs a restart: it is served where it was')
  try {
    await applyConfig(read.config, parts)
  } catch (error) {
    log.error(
      { err: error },
      'the configuration before stays: the containers of the new one cannot be followed',
    )
    void manager.notify('READY=1')
    return before
  }
  if (command.logLevel === null) log.setLevel(read.config.logLevel)
  log.info({ services: namesOf(read.config) }, 'the configuration is read again')
  void manager.notify('READY=1')
  return read.config
}

function namesOf({ services }: AgentConfig): readonly string[] {
  return services.map(({ name }) => name)
}
