/** What changes the number of a backend's replicas: `actuator` of `scale`, by its kind. */
export type ActuatorSpec =
  | SwarmActuatorSpec
  | DockerActuatorSpec
  | ComposeActuatorSpec
  | MarathonActuatorSpec
  | WebHookActuatorSpec
  | ProcessActuatorSpec

/** A service of a Docker Swarm. */
export interface SwarmActuatorSpec {
  readonly kind: 'swarm'
  readonly service: string
  /** The source of kind `swarm` whose endpoint and TLS it uses; null: the only one, or the engine of this machine if there is none. */
  readonly source: string | null
}

/** Containers that exist, of which so many run. */
export interface DockerActuatorSpec {
  readonly kind: 'docker'
  /** The label of the containers, `name` or `name=value`. */
  readonly label: string
  /** As of Swarm, of kind `docker`. */
  readonly source: string | null
  /** How long a container may take to stop. */
  readonly stopMs: number
}

/** A service of a compose project, by the command `docker compose`. From files of this machine only. */
export interface ComposeActuatorSpec {
  readonly kind: 'compose'
  readonly service: string
  /** Paths, in order; relative ones start at the file of the settings. */
  readonly files: readonly string[]
  /** Null: as compose chooses it. */
  readonly project: string | null
  /** The program and its first arguments: `["docker", "compose"]`. */
  readonly command: readonly string[]
}

/** An app of Marathon. */
export interface MarathonActuatorSpec {
  readonly kind: 'marathon'
  readonly app: string
  /** The source of kind `marathon` whose endpoints and login it uses; null: the only one. */
  readonly source: string | null
}

/** The number is sent to another program. */
export interface WebHookActuatorSpec {
  readonly kind: 'webhook'
  readonly url: string
  /** The key of HMAC-SHA-256 over the time and the body; null: requests are not signed. */
  readonly secret: string | null
  readonly headers: Readonly<Record<string, string>>
  /** Where the number of replicas is read; null: the servers in the table are counted. */
  readonly observeUrl: string | null
}

/** Processes of this machine, each with a port of its own. From files of this machine only. */
export interface ProcessActuatorSpec {
  readonly kind: 'process'
  /** The program and its arguments; `{port}` and `{replica}` are replaced. */
  readonly command: readonly string[]
  /** The port of replica 1; that of replica n is n - 1 higher. It is in the variable PORT, too. */
  readonly port: number
  /** Between SIGTERM and SIGKILL. */
  readonly stopMs: number
}

export const ACTUATOR_KINDS: readonly ActuatorSpec['kind'][] = [
  'swarm',
  'docker',
  'compose',
  'marathon',
  'webhook',
  'process',
]

/** They run programs of this machine, so that only its own files may declare them. */
export const RUNS_PROGRAMS: ReadonlySet<ActuatorSpec['kind']> = new Set(['compose', 'process'])
