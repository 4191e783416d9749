import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openAdmission } from '../support/declared.ts'

const process = { command: ['node', 'a.js'], port: 9000 }
const scaled = (actuator: object): object => ({ scale: { actuator, max: 2 } })

test('a registry cannot declare programs to run on this machine', () => {
  const admission = openAdmission({ mayRunPrograms: () => false })

  const { setAside } = admission.declare({
    backends: {
      run: scaled({ process }),
      compose: scaled({ compose: { service: 'x', files: ['compose.yaml'] } }),
      swarm: scaled({ swarm: { service: 'x' } }),
    },
  })

  assert.deepEqual(
    setAside.map(({ id, message }) => [id, message]),
    [
      [
        'run',
        'scale.actuator.process: runs programs of this machine: only a file or a directory of it may declare that',
      ],
      [
        'compose',
        'scale.actuator.compose: runs programs of this machine: only a file or a directory of it may declare that',
      ],
    ],
  )
})

test('a file may, and a version of it that is in force stays when the next one is not valid', () => {
  const admission = openAdmission({ mayRunPrograms: () => true })

  const { setAside } = admission.declare({ backends: { run: scaled({ process }) } })

  assert.deepEqual(setAside, [])
})
