// needs: etcd
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startEtcd } from '../support/etcd.ts'
import { from, placeExample, startExample } from '../support/example.ts'
import { fakeContainer, startFakeDocker } from '../support/fake-docker.ts'

test('the example of a standalone Swarm serves containers at the ports that they publish', async (t) => {
  const [etcd, engine] = [await startEtcd(t), await startFakeDocker(t)]
  const enginePort = Number(engine.endpoint.split(':').at(-1))
  const file = 'examples/swarm-standalone.yaml'
  const registries = new Map([
    [2379, etcd.port],
    [2375, enginePort],
  ])
  const example = await placeExample(t, file, registries, [5001])
  const own = example.withOwnPorts(example.text)
  const [, key = '', host = ''] = /^# {3}etcdctl put (\S+) (\S+)$/m.exec(own) ?? []
  const words = /^# {3}docker .* run (.*)$/m.exec(own)?.[1]?.split(' ') ?? []
  const labels = words.filter((_, at) => words[at - 1] === '--label').map((one) => one.split('='))
  const published = { IP: '0.0.0.0', PrivatePort: 80, PublicPort: example.port(5001), Type: 'tcp' }
  engine.start(
    fakeContainer('vote', Object.fromEntries(labels) as Record<string, string>, {
      Ports: [published],
    }),
  )
  await etcd.put(key, host)

  const site = await startExample(t, example)

  assert.equal(from(await site.get('vote.localhost', '/')), '5001')
})
