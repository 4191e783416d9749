/** Every command of the command line. */
import { AGENT, type AgentCommand } from '../agent-words.ts'
import { BENCH, type BenchCommand } from '../bench/words.ts'
import { CHECK, type CheckCommand } from '../check-words.ts'
import { DRAIN, type DrainCommand, UNDRAIN } from '../drain/words.ts'
import { IMPORT, type ImportCommand } from '../import/words.ts'
import { HEALTHCHECK, type HealthcheckCommand } from '../healthcheck-words.ts'
import { DELETE, GET, PUT } from '../object-words.ts'
import type { DeleteCommand, GetCommand, PutCommand } from '../objects.ts'
import { RENDER, type RenderCommand } from '../render/words.ts'
import { SERVE, type ServeCommand } from '../serve-words.ts'
import type { CommandSpec, Group } from '../spec.ts'
import { TOP, type TopCommand } from '../top/words.ts'
import { UPGRADE, type UpgradeCommand } from '../upgrade-words.ts'
import type { VctlCommand } from '../vctl/command.ts'
import { LOG_SPECS, SECRET_SPECS, type SecretCommand } from '../vctl/daemon-words.ts'
import { MIDDLEWARE_SPECS } from '../vctl/middleware-words.ts'
import { OBJECT_SPECS } from '../vctl/object-words.ts'
import { COMPLETE, COMPLETION, HELP, MAN, type OwnCommand, VERSION } from './own-words.ts'

export type Parsed =
  | ServeCommand
  | CheckCommand
  | ImportCommand
  | PutCommand
  | DeleteCommand
  | GetCommand
  | HealthcheckCommand
  | BenchCommand
  | DrainCommand
  | TopCommand
  | UpgradeCommand
  | RenderCommand
  | AgentCommand
  | VctlCommand
  | SecretCommand
  | OwnCommand

export type Spec = CommandSpec<Parsed>

/** In the order in which help lists them. */
export const COMMANDS: readonly Spec[] = [
  SERVE,
  CHECK,
  IMPORT,
  PUT,
  DELETE,
  GET,
  DRAIN,
  UNDRAIN,
  TOP,
  HEALTHCHECK,
  UPGRADE,
  RENDER,
  AGENT,
  BENCH,
  VERSION,
  HELP,
  MAN,
  COMPLETION,
  COMPLETE,
  ...OBJECT_SPECS,
  ...MIDDLEWARE_SPECS,
  ...LOG_SPECS,
  ...SECRET_SPECS,
]

/** The commands of vctl. */
export const GROUPS: readonly Group[] = [
  { name: 'host', summary: 'certificates' },
  { name: 'listener', summary: 'where clients connect' },
  { name: 'backend', summary: 'servers that do the same work' },
  { name: 'server', summary: 'servers of a backend' },
  { name: 'frontend', summary: 'which requests go to which backend' },
  { name: 'ratelimit', summary: 'limits of the rate of a frontend' },
  { name: 'connlimit', summary: 'limits of requests at once' },
  { name: 'rewrite', summary: 'changed URLs of a frontend' },
  { name: 'cbreaker', summary: 'circuit breakers of a frontend' },
  { name: 'trace', summary: 'lines about requests for syslog' },
  { name: 'log', summary: 'what is logged' },
  { name: 'secret', summary: 'sealed key pairs' },
]

export const LISTED: readonly Spec[] = COMMANDS.filter(({ isHidden }) => isHidden !== true)

/** Those of no group. */
export const ALONE: readonly Spec[] = LISTED.filter((spec) => groupOf(spec) === null)

/** `backend` for `backend upsert`; null: it stands alone. */
export function groupOf({ name }: Pick<Spec, 'name'>): string | null {
  const space = name.indexOf(' ')
  return space === -1 ? null : name.slice(0, space)
}

/** The commands of a group, in their order. */
export function membersOf(group: string): readonly Spec[] {
  return LISTED.filter((spec) => groupOf(spec) === group)
}

/** What a first word may be. */
export function firstWords(): readonly string[] {
  return [...ALONE, ...GROUPS].map(({ name }) => name)
}
