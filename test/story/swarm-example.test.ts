// needs: docker-networks
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { IMAGE } from '../support/docker-engine.ts'
import { startSwarm } from '../support/docker-networks.ts'
import { readExample } from '../support/example.ts'
import { startProgram } from '../support/program.ts'
import { untilTable } from '../support/sources.ts'

test('the example of Swarm, with the command of its comment, has its route', async (t) => {
  const { docker, socket } = await startSwarm(t)
  const text = readExample('examples/swarm.yaml')
  const [, command = ''] = /^# {3}docker (service create [^]*?) nginx$/m.exec(text) ?? []
  const words = command.replaceAll(/\\\n#/g, ' ').split(/\s+/)
  await docker('network', 'create', '--driver', 'overlay', 'edge')
  const program = await startProgram(
    t,
    text.replace('/var/run/docker.sock', socket).replace('127.0.0.1:8080', '127.0.0.1:0'),
    { file: 'swarm.yaml', args: ['--admin-address', '127.0.0.1:0'] },
  )

  await docker(...words, '--detach', '--no-resolve-image', IMAGE, 'sleep', '1000')

  // Its tasks are in other namespaces than this process, which cannot reach them.
  const { objects } = await untilTable(
    program,
    '?kind=frontend',
    ({ objects }) => objects.length === 1,
    'the route',
  )
  assert.deepEqual(
    objects.map(({ id }) => id),
    ['vote'],
  )
})
