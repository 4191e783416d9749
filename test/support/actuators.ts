/** What an actuator is opened with, and what it sees of the servers, in tests. */
import type { ActuatorContext } from '../../src/scaling/actuator.ts'
import type { IsServer, Rotation, RotationServer } from '../../src/scaling/rotation.ts'

export interface FakeRotation extends Rotation {
  /** What is declared; their requests in flight are changed by the test. */
  declared: { id: string; url: string; inFlight: number }[]
  /** Ids of those that get no new requests. */
  held(): readonly string[]
}

export function createRotation(...servers: readonly Partial<RotationServer>[]): FakeRotation {
  const holds = new Set<IsServer>()
  const rotation: FakeRotation = {
    declared: servers.map((one, at) => ({
      ...{ id: `server-${at + 1}`, url: `http://192.0.2.1:${8000 + at}`, inFlight: 0 },
      ...one,
    })),
    servers: () => rotation.declared,
    hold(isHeld) {
      holds.add(isHeld)
      return { update: () => {}, release: () => void holds.delete(isHeld) }
    },
    held: () =>
      rotation.declared
        .filter((server) => [...holds].some((isHeld) => isHeld(server)))
        .map(({ id }) => id),
  }
  return rotation
}

export interface TestContextOfActuator extends ActuatorContext {
  readonly rotation: FakeRotation
  /** Lines of its log: `warn: cannot stop ...`. */
  readonly lines: string[]
}

export function actuatorContext(more: Partial<ActuatorContext> = {}): TestContextOfActuator {
  const lines: string[] = []
  const note =
    (level: string) =>
    (_fields: object, message: string): void =>
      void lines.push(`${level}: ${message}`)
  return {
    backend: 'vote',
    sources: [],
    config: '/etc/sluice.yaml',
    ready: () => 0,
    replaces: false,
    log: { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') },
    ...more,
    rotation: (more.rotation as FakeRotation | undefined) ?? createRotation(),
    lines,
  }
}

/** For calls that are not to be cut off. */
export function inTime(): AbortSignal {
  return AbortSignal.timeout(60_000)
}
