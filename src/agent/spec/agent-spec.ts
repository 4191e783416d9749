/** What an agent is configured to do, parsed and total: from its own file (config/own-file.ts) or nerve's (config/nerve-file.ts). */
import type { ConnectionOptions } from 'node:tls'
import type { ProbeTarget } from '../../health/probe.ts'
import type { LogLevel } from '../../model/settings.ts'
import type { Address } from '../../model/snapshot.ts'
import type { ContainersSpec } from '../containers/options.ts'
import type { RegistrarSpec } from '../registrar/kind.ts'
import type { Registration } from '../registrar/registrar.ts'

export interface AgentConfig {
  readonly services: readonly ServiceSpec[]
  /** Null: containers are not registered. */
  readonly containers: ContainersPlan | null
  /** How long the program goes on after it has removed its registrations at its end. */
  readonly drainMs: number
  /** How long the removal may take at the end of the program. */
  readonly stopMs: number
  readonly logLevel: LogLevel
  /** A file whose time of change shows that the agent runs; null: there is none. */
  readonly heartbeat: string | null
  /** Where the state and the metrics are served; null: nowhere. */
  readonly status: Address | null
}

export interface ContainersPlan {
  readonly spec: ContainersSpec
  readonly registry: RegistrarSpec
}

export interface ServiceSpec {
  /** Of the configuration, each once. */
  readonly name: string
  readonly registration: Registration
  readonly registry: RegistrarSpec
  /** All of them must pass. None: it is registered as long as the agent runs. */
  readonly checks: readonly CheckSpec[]
  /** How often it may be registered and removed; null: as often as its checks say. */
  readonly limit: LimitSpec | null
  /** The client of the registry is opened anew if the service is not registered for so long although it should be. */
  readonly reopenMs: number
}

/** Changes of a registration: a token bucket. */
export interface RateSpec {
  /** Changes a second, on average. */
  readonly rate: number
  /** Changes at once, at least 1. */
  readonly burst: number
  /** Changes at once at the start. */
  readonly initial: number
}

export interface LimitSpec extends RateSpec {
  /** Nothing is limited, but a line is logged when something would be. */
  readonly isShadow: boolean
}

export interface RiseAndFallCounts {
  /** Consecutive successes until a check that has failed passes. */
  readonly rise: number
  /** Consecutive failures until a check that has passed fails. */
  readonly fall: number
}

export interface CheckSpec extends RiseAndFallCounts {
  /** For people: `http 127.0.0.1:8080/health`. */
  readonly name: string
  readonly intervalMs: number
  /** For one run. */
  readonly timeoutMs: number
  readonly how: How
}

export type How =
  /** By a connection, a request or a call of gRPC. */
  | { readonly kind: 'probe'; readonly target: ProbeTarget }
  | ({ readonly kind: 'redis' } & RedisSpec)
  | ({ readonly kind: 'rabbitmq' } & RabbitmqSpec)
  | ({ readonly kind: 'exec' } & ExecSpec)
  | { readonly kind: 'noop' }

export interface RedisSpec {
  readonly host: string
  readonly port: number
  readonly username: string | null
  readonly password: string | null
  /** Null: no TLS. */
  readonly tls: ConnectionOptions | null
}

export interface RabbitmqSpec {
  readonly host: string
  readonly port: number
  readonly username: string
  readonly password: string
  readonly vhost: string
  /** Null: one that the broker names, and deletes with the connection. */
  readonly queue: string | null
}

export interface ExecSpec {
  /** A path, or a name that is looked up in PATH. There is no shell. */
  readonly command: string
  readonly args: readonly string[]
}
