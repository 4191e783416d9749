/**
 * The data plane under test: a gateway in this process, fed by the real admission and publisher from a configuration in
 * the form of sluice.yaml. Listener addresses use port 0.
 */
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { TestContext } from 'node:test'
import { createAdmission } from '../../src/control/admission/admit.ts'
import { createNameExpansion } from '../../src/control/publication/name-expansion.ts'
import { keepNamesResolved } from '../../src/control/publication/resolve-names.ts'
import { createMerge } from '../../src/control/sources/merge.ts'
import type { PlacedObjects } from '../../src/control/publication/placement.ts'
import { createPublisher } from '../../src/control/publication/publisher.ts'
import { Gateway } from '../../src/gateway/gateway.ts'
import { parseDocument } from '../../src/document/document.ts'
import type { Challenge, Delta } from '../../src/model/snapshot.ts'
import type { ObjectName } from '../../src/model/names.ts'
import type { AccessRecord } from '../../src/observe/access-record.ts'
import type { StreamRecord } from '../../src/observe/stream-record.ts'
import { systemMs } from '../../src/scoreboard/board-clock.ts'
import { Scoreboard } from '../../src/scoreboard/scoreboard.ts'
import { openSource } from './declared.ts'
import { systemResolver } from './names.ts'
import { eventually } from './until.ts'

export interface TestGateway {
  /** Of the listener `web`, else the first. */
  readonly port: number
  readonly ports: Readonly<Record<string, number>>
  readonly scoreboard: Scoreboard
  /** Brings another configuration into force. */
  apply(config: object): Promise<void>
  /** Puts the challenges of open orders into the listeners. */
  challenge(challenges: readonly Challenge[]): Promise<void>
  /** Of all exchanges that have ended. */
  records(): AccessRecord[]
  /** Of all streams that have ended. */
  streams(): StreamRecord[]
  /** What is in force, with the slots that count it. */
  placed(): PlacedObjects
  /** Why objects of the last configuration are not in force, as of now. */
  problems(): readonly string[]
  /** Its faults since the last call; those that a test leaves make it fail. */
  takeFaults(): readonly unknown[]
  /** Its warnings. */
  notices(): readonly string[]
  /** Backends for which requests waited, each time. */
  wakes(): readonly string[]
  /** 48 bytes, for TLS sessions from now on. */
  setTicketKeys(keys: Buffer): void
  /** Names that clients wait for a certificate of, with `onDemand`. */
  wanted(): readonly string[]
  refuseCertificate(name: string): void
  drain(): Promise<void>
  close(): Promise<void>
}

interface OwnOptions {
  readonly trusted?: readonly string[]
  readonly admin?: number
  readonly reusePort?: boolean
  /** Clients wait for certificates. */
  readonly onDemand?: boolean
  /** As the settings write it. */
  readonly resolver?: object
}

/**
 * A short form: `{ origin: port }` is one http listener `web` and a frontend for everything, to 127.0.0.1:port; further
 * members (`listener`, `backend`) are laid over it. `trusted`, `admin` (the port of one on 127.0.0.1) and `reusePort` are
 * the gateway's own. Closed by t.after.
 */
export async function startGateway(t: TestContext, config: object): Promise<TestGateway> {
  const scoreboard = new Scoreboard(1, systemMs())
  const publisher = createPublisher(scoreboard)
  const resolver = systemResolver(t, (config as OwnOptions).resolver)
  keepNamesResolved(publisher, resolver)
  const expansion = createNameExpansion(publisher, resolver, () => performance.now())
  const admission = createAdmission({
    readFile: (path) => readFileSync(path, 'utf8'),
    admin: null,
    localAddresses: () => new Set(),
    now: Date.now,
  })
  const records: AccessRecord[] = []
  const streams: StreamRecord[] = []
  const faults: unknown[] = []
  const notices: string[] = []
  const wakes: string[] = []
  const wanted: string[] = []
  const { trusted = [], admin = 0, reusePort = false, onDemand = false } = config as OwnOptions
  const gateway = new Gateway({
    thread: 0,
    memory: scoreboard.memory(),
    trusted,
    admin: { host: '127.0.0.1', port: admin },
    secret: randomBytes(48),
    ticketKeys: randomBytes(48),
    reusePort,
    ...(onDemand ? { onCertificateWanted: (name) => wanted.push(name) } : {}),
    onNotice: (text) => notices.push(text),
    onWake: (backend) => wakes.push(backend),
    onListenersTried: () => publisher.report(0, gateway.problems()),
    onRecord: (record) => records.push(record),
    onStream: (record) => streams.push(record),
    onShortage: () => {},
    onFault: (fault) => faults.push(fault),
  })
  resolver.listen((changes) => gateway.names.apply(changes))
  let applied = Promise.resolve()
  publisher.attach({
    thread: 0,
    boardSize: scoreboard.size,
    deliver({ number, delta, added }) {
      applied = applied.then(async () => {
        await gateway.apply(JSON.parse(delta) as Delta, added)
        publisher.acknowledge(0, number, gateway.problems())
      })
    },
  })
  const source = openSource('test')
  const merge = createMerge([source])
  let setAside: readonly string[] = []
  const problems = (): readonly string[] => [...setAside, ...publisher.threadProblems()]

  async function publish(names: readonly ObjectName[]): Promise<void> {
    const view = { merge, locate: () => undefined, revision: () => '1' }
    const { snapshot, changed } = admission.admit({ names, ...view })
    const number = expansion.publish(snapshot, Date.now(), changed)
    await publisher.whenInForce(number)
  }

  async function apply(declared: object): Promise<void> {
    const document = parseDocument(JSON.stringify(longForm(declared)), 'test.json')
    if (!document.readable) throw new Error(document.problems[0].message)
    const objects = document.objects.map((object) => ({ ...object, key: object.id }))
    await publish(source.replace(objects))
    setAside = [...document.problems, ...admission.setAside()].map(
      ({ id, message }) => `${id}: ${message}`,
    )
  }

  const close = async (): Promise<void> => {
    gateway.destroy()
    publisher.stop()
    await eventually(() => gateway.connections === 0, 'every connection has left')
  }
  t.after(async () => {
    await close()
    if (faults.length > 0) throw new AggregateError(faults, 'the gateway had faults of its own')
  })

  await apply(config)
  if (problems().length > 0) throw new Error(problems().join('\n'))
  const ports = gateway.ports()
  return {
    port: ports['web'] ?? Object.values(ports)[0] ?? 0,
    ports,
    scoreboard,
    apply,
    async challenge(challenges) {
      admission.challenge(challenges)
      await publish([])
    },
    records: () => records,
    streams: () => streams,
    placed: () => publisher.placed(),
    problems,
    wanted: () => wanted,
    refuseCertificate: (name) => gateway.refuseCertificate(name),
    takeFaults: () => faults.splice(0),
    notices: () => notices,
    wakes: () => wakes,
    setTicketKeys: (keys) => gateway.setTicketKeys(keys),
    drain: async () => {
      gateway.drain()
      await eventually(() => gateway.connections === 0, 'every connection has left')
    },
    close,
  }
}

function longForm(config: object): object {
  const {
    trusted: _trusted,
    admin: _admin,
    reusePort: _reusePort,
    onDemand: _onDemand,
    resolver: _resolver,
    ...declared
  } = config as OwnOptions
  if (!('origin' in declared)) return declared
  const {
    origin,
    listener = {},
    backend = {},
    frontend = {},
  } = declared as {
    origin: number
    listener?: object
    backend?: object
    frontend?: object
  }
  return {
    listeners: { web: { address: '127.0.0.1:0', ...listener } },
    backends: { origin: { servers: { one: `http://127.0.0.1:${origin}` }, ...backend } },
    frontends: {
      all: { route: 'PathPrefix("/") || !PathPrefix("/")', backend: 'origin', ...frontend },
    },
  }
}
