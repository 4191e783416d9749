/**
 * A fake Docker engine with many containers, in a process of its own: `fork` it with the ports of the servers and the number of
 * containers. It sends its endpoint, changes containers at a rate that a message names, and sends `done`.
 */
import { setTimeout as pause } from 'node:timers/promises'
import {
  fakeContainer,
  startFakeDocker,
  type FakeContainer,
} from '../../test/support/fake-docker.ts'
import { hostOf } from '../request.ts'

export interface Changes {
  readonly perSecond: number
  readonly seconds: number
}

const PER_SERVICE = 5

const [ports = '', count = ''] = process.argv.slice(2)
const servers = ports.split(',').map(Number)
const docker = await startFakeDocker({ after() {} })
const all = Array.from({ length: Number(count) }, (_, number) => containerOf(number))
for (const one of all) docker.containers.set(one.Id, one)

process.on('message', ({ perSecond, seconds }: Changes) => void change(perSecond, seconds))
process.on('disconnect', () => process.exit())
process.send?.({ endpoint: docker.endpoint })

/** As compose labels them; on the host's network, so that they can be reached. */
function containerOf(number: number): FakeContainer {
  const service = Math.floor(number / PER_SERVICE)
  const instance = (number % PER_SERVICE) + 1
  const labels = {
    'sluice.enable': 'true',
    'sluice.host': hostOf(service),
    'sluice.port': String(servers[number % servers.length]),
    'com.docker.compose.project': 'bench',
    'com.docker.compose.service': `s${service}`,
    'com.docker.compose.container-number': String(instance),
    'com.docker.compose.config-hash': 'f'.repeat(64),
    'com.docker.compose.oneoff': 'False',
    'com.docker.compose.project.working_dir': '/srv/bench',
    'org.opencontainers.image.version': '1.2.3',
  }
  return fakeContainer(`bench-s${service}-${instance}`, labels, {
    HostConfig: { NetworkMode: 'host' },
    NetworkSettings: { Networks: { host: { IPAddress: '' } } },
    Ports: [],
  })
}

/** Stops and starts containers in turn, never two of one service. */
async function change(perSecond: number, seconds: number): Promise<void> {
  const began = performance.now()
  for (let turn = 0; turn < perSecond * seconds; turn++) {
    while ((performance.now() - began) * (perSecond / 1_000) < turn) await pause(1)
    const one = all[(Math.floor(turn / 2) * 7 * PER_SERVICE) % all.length]
    if (one === undefined) continue
    if (turn % 2 === 0) docker.stop(one.Id)
    else docker.start(one)
  }
  process.send?.('done')
}
