// Servers that speak HTTP/2 and cannot be connected to: failing servers, as with HTTP/1.1.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { COUNT } from '../../src/scoreboard/layout.ts'
import { openClient } from '../support/client.ts'
import type { TestGateway } from '../support/gateway.ts'
import { towardsHttp2 } from '../support/http2-servers.ts'
import { openHttp2Client } from '../support/http2/client.ts'
import { ERROR, resetFrame, SETTING } from '../support/http2/frames.ts'
import { startHttp2Server } from '../support/http2/server.ts'
import { choosePort } from '../support/ports.ts'
import { get } from '../support/refusal.ts'

function total({ placed, scoreboard }: TestGateway, counter: number): number {
  const servers = [...placed().backends].flatMap((backend) => [...backend.servers])
  return servers.reduce((sum, { slot }) => sum + scoreboard.sum(slot, counter), 0)
}

test('a server that refuses connections has failed, after one attempt', async (t) => {
  const gateway = await towardsHttp2(t, {
    servers: await choosePort(),
    backend: { retry: { attempts: 1 } },
  })
  const client = await openClient(t, gateway.port)

  const response = await client.ask(get('/'))

  assert.equal(response.status, 502)
  assert.equal(gateway.records()[0]?.reason, 'CONNECT_REFUSED')
  assert.equal(gateway.records()[0]?.attempts, 1)
  assert.equal(total(gateway, COUNT.failed), 1)
  assert.equal(total(gateway, COUNT.connectFailures), 1)
})

test('a burst on a new connection is repeated within the limit that the server has told', async (t) => {
  const underWay = new Map<number, number>()
  const server = await startHttp2Server(
    t,
    async (received) => {
      const { connection, streamId } = received
      const count = underWay.get(connection.number) ?? 0
      if (count === 5) return connection.send(resetFrame(streamId, ERROR.refusedStream))
      underWay.set(connection.number, count + 1)
      await setImmediate()
      underWay.set(connection.number, (underWay.get(connection.number) ?? 0) - 1)
      received.respond()
    },
    { settings: [[SETTING.maxConcurrentStreams, 5]] },
  )
  const gateway = await towardsHttp2(t, { servers: server.port })

  const client = await openHttp2Client(t, gateway.port)

  const responses = await Promise.all(Array.from({ length: 60 }, () => client.ask()))

  assert.deepEqual([...new Set(responses.map(({ status }) => status))], [200])
})
