/**
 * An attacker: `node attack.process.ts PLAN`. A few connections repeat one attack at once, and one that is cut off is opened anew. Ends when
 * its standard input does, and prints what became of each connection.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { connectHttp2Client, type Http2Client } from '../../test/support/http2/client.ts'
import { pingFrame } from '../../test/support/http2/frames.ts'
import { turn } from '../../test/support/until.ts'
import { ATTACKS, type AttackPlan, type AttackedConnection } from './attack.ts'
import { clockMs } from './clock.ts'

const BATCH = 25
const RECONNECT_MS = 50
/** Seldom enough that it is no flood. */
const DEAF_MS = 200
const MOST_UNSENT = 64 * 1024

const plan = JSON.parse(process.argv[2] ?? '') as AttackPlan
const attack = ATTACKS.find(({ name }) => name === plan.attack)
if (attack === undefined) throw new Error(`there is no attack "${plan.attack}"`)
const { start, options, isDeaf, everyMs } = attack
const connections: AttackedConnection[] = []
let isOver = false

async function attackOnce(): Promise<void> {
  const client = await connectHttp2Client(plan.port, options)
  // Otherwise the acknowledgement of SETTINGS could fall into a frame.
  if (options?.preface !== false) await client.roundTrip()
  const began = clockMs()
  let units = 0
  const run = start(client)
  client.send(...run.first)
  if (isDeaf) client.stopReading()
  while (!isOver && isOpen(client)) {
    const batch = Array.from({ length: everyMs === null ? BATCH : 1 }, () => run.next()).flat()
    if (batch.length > 0) client.send(...batch)
    units += batch.length
    if (client.socket.writableLength > MOST_UNSENT) await drained(client)
    // What is not read is no news: a client learns from its writes that it was cut off.
    if (isDeaf) client.send(pingFrame())
    await (everyMs === null && batch.length > 0
      ? turn()
      : pause(everyMs || (isDeaf ? DEAF_MS : 20)))
    if (everyMs === null) client.forget()
  }
  const { goAways } = client
  connections.push({
    port: client.port,
    how: isOpen(client) ? 'open' : goAways.length > 0 ? `goaway ${goAways[0]?.code}` : 'closed',
    ms: clockMs() - began,
    units,
  })
  client.socket.destroy()
}

/** A client that reads nothing learns its end from its writes, or not at all. */
function isOpen(client: Http2Client): boolean {
  return client.ending() === null && client.goAways.length === 0 && !client.socket.destroyed
}

function drained({ socket }: Http2Client): Promise<unknown> {
  return Promise.race([new Promise((done) => socket.once('drain', done)), pause(100)])
}

async function lane(): Promise<void> {
  while (!isOver) {
    // A connection that is refused or reset while it opens is tried again like one that was cut off.
    await attackOnce().catch(() => {})
    await pause(RECONNECT_MS)
  }
}

process.stdin.resume()
process.stdin.on('end', () => (isOver = true))
await Promise.all(Array.from({ length: plan.connections }, lane))
process.stdout.write(JSON.stringify(connections), () => process.exit())
