// needs: docker-engine
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { test } from 'node:test'
import { startDockerEngine } from '../support/docker-engine.ts'

const run = promisify(execFile)

test('the engine of the tests changes nothing of the machine', async () => {
  const before = await network()
  const ends: (() => unknown)[] = []
  const engine = await startDockerEngine({ after: (end) => ends.push(end) })
  await engine.run('one', { a: 'b' })
  const during = await network()
  await engine.kill()
  await engine.start()
  const listed = await engine.docker('ps', '--format', '{{.Names}} {{.Label "a"}}')

  for (const end of ends) await end()

  assert.equal(listed, 'one b')
  assert.equal(during, before)
  assert.deepEqual(await machine(engine.folder), { network: before, mounts: [], processes: [] })
  assert.ok(!existsSync(engine.folder))
})

interface Machine {
  readonly network: string
  readonly mounts: readonly string[]
  readonly processes: readonly string[]
}

/** What an engine could leave behind. Others of this machine may have engines of their own. */
async function machine(folder: string): Promise<Machine> {
  return {
    network: await network(),
    mounts: (await readFile('/proc/mounts', 'utf8'))
      .split('\n')
      .filter((one) => one.includes(folder)),
    processes: (await run('ps', ['-eo', 'args'])).stdout
      .split('\n')
      .filter((one) => one.includes(folder)),
  }
}

async function network(): Promise<string> {
  const names = Object.keys((await import('node:os')).networkInterfaces()).join()
  return `${names} ${await readFile('/proc/sys/net/ipv4/ip_forward', 'utf8')}`
}
