/** The words of `sluice agent`. */
import { LOG_LEVELS, type LogLevel } from '../model/settings.ts'
import { quote } from '../model/parsed.ts'
import { didYouMean } from '../model/suggest.ts'
import { HOUR_MS, parseDuration } from '../model/units.ts'
import type { CommandSpec } from './spec.ts'

export interface AgentCommand {
  readonly kind: 'agent'
  readonly config: string
  /** Only says what is wrong with the configuration. */
  readonly isCheck: boolean
  /** The containers of the local engine are registered, too. */
  readonly withContainers: boolean
  /** Null: as the configuration says. */
  readonly logLevel: LogLevel | null
  /** The service, which the agent starts and stops; empty: it runs by itself. */
  readonly service: readonly string[]
  /** How long the service gets to end. */
  readonly killAfterMs: number
}

const KILL_AFTER = '10s'

export const AGENT: CommandSpec<AgentCommand> = {
  name: 'agent',
  usage: ['--config FILE [flags] [-- COMMAND ...]', '--config FILE --check'],
  summary: 'check local services, and register those that are healthy',
  forms: [
    'check local services, and register those that are healthy',
    'report the problems of the configuration of an agent',
  ],
  flags: {
    config: {
      value: 'FILE',
      text: 'what is checked, and where it is registered; also that of nerve',
      completes: 'file',
    },
    check: { value: '', text: 'report the problems of the configuration, and end' },
    docker: {
      value: '',
      text: 'register the containers of the Docker engine, too, as with `containers: {}` in FILE',
    },
    'log-level': {
      value: 'LEVEL',
      text: `${LOG_LEVELS.join(', ')}`,
      default: 'info',
      completes: LOG_LEVELS,
    },
    'kill-after': {
      value: 'DURATION',
      text: 'how long COMMAND gets to end after SIGTERM',
      default: KILL_AFTER,
    },
  },
  text: [
    'A service is registered while all of its checks pass, and removed when one fails, or when the agent ends. If the agent is killed, its registrations expire by their time to live.',
    'SIGTERM and SIGINT remove the registrations, wait for drain, and end the agent, so that a supervisor may stop the services then. SIGHUP reads the configuration again; a bad one changes nothing.',
    'COMMAND is a service that the agent starts, and stops after it has removed its registration. If it ends by itself, the agent ends with its exit code.',
  ],
  examples: [
    'sluice agent --config /etc/sluice/agent.yaml',
    'sluice agent --config agent.yaml -- node server.js',
  ],
  exits:
    'Exit 0: all registrations are removed; of COMMAND, its exit code; 1: the configuration cannot be used, or a registration may be left until it expires; 2: wrong usage.',
  parse({ flags, positionals: service }) {
    const { config, check, 'log-level': level, 'kill-after': killAfter } = flags
    if (config === undefined) return 'agent needs --config FILE'
    const isCheck = check !== undefined
    if (isCheck && service.length > 0) return `agent --check takes no ${quote(service[0])}`
    if (killAfter !== undefined && service.length === 0)
      return '--kill-after is of a COMMAND, which is missing'
    const logLevel = level === undefined ? null : LOG_LEVELS.find((one) => one === level)
    if (logLevel === undefined)
      return `--log-level must be one of ${LOG_LEVELS.join(', ')}, not ${quote(level)}${didYouMean(level ?? '', LOG_LEVELS)}`
    const parsed = parseDuration(killAfter ?? KILL_AFTER, 0, HOUR_MS)
    if (!parsed.ok) return `--kill-after ${parsed.reason}`
    const withContainers = 'docker' in flags
    const killAfterMs = parsed.value
    return { kind: 'agent', config, isCheck, withContainers, logLevel, service, killAfterMs }
  },
}
