/**
 * A stand-in for the base image, for machines that cannot pull one: the Debian files that Node and a build step need, the
 * Node of the npm package `node`, and this machine's npm with its registry and certificates. Only the test's own engine
 * ever sees it.
 */
import { execFile } from 'node:child_process'
import { cp, mkdir, realpath, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { extractPackages } from '../support/debian-packages.ts'
import type { DockerEngine } from '../support/docker-engine.ts'

const run = promisify(execFile)

const PACKAGES = [
  ...['base-files', 'dash', 'coreutils', 'libc6', 'libgcc-s1', 'libstdc++6', 'libatomic1'],
  // What coreutils is linked to.
  ...['libacl1', 'libattr1', 'libgmp10', 'libpcre2-8-0', 'libselinux1', 'libssl3'],
]
const CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt'

export async function makeBaseImage(
  engine: DockerEngine,
  folder: string,
  tag: string,
): Promise<void> {
  const root = join(folder, 'base')
  await extractPackages(PACKAGES, folder, root)
  for (const place of [
    'usr/local/bin',
    'usr/local/lib/node_modules',
    'etc/ssl/certs',
    'root',
    'tmp',
  ]) {
    await mkdir(join(root, place), { recursive: true })
  }
  await symlink('dash', join(root, 'bin/sh')).catch(ignoreExisting)
  await cp(process.execPath, join(root, 'usr/local/bin/node'))
  await cp(await npmFolder(), join(root, 'usr/local/lib/node_modules/npm'), { recursive: true })
  await symlink('../lib/node_modules/npm/bin/npm-cli.js', join(root, 'usr/local/bin/npm'))
  const users = 'root:x:0:0:root:/root:/bin/sh\nnode:x:1000:1000::/home/node:/bin/sh\n'
  await writeFile(join(root, 'etc/passwd'), users)
  await writeFile(join(root, 'etc/group'), 'root:x:0:\nnode:x:1000:\n')

  const env = [
    `npm_config_registry=${(await run('npm', ['config', 'get', 'registry'])).stdout.trim()}`,
  ]
  const certificates = process.env['NODE_EXTRA_CA_CERTS']
  if (certificates !== undefined) {
    await cp(certificates, join(root, CERTIFICATES), { dereference: true })
    env.push(`NODE_EXTRA_CA_CERTS=${CERTIFICATES}`)
  }

  const archive = join(folder, 'base.tar')
  await run('tar', ['-C', root, '--owner=0', '--group=0', '-cf', archive, '.'])
  const changes = [`ENV PATH=/usr/local/bin:/usr/bin:/bin`, ...env.map((one) => `ENV ${one}`)]
  await engine.docker('import', ...changes.flatMap((one) => ['-c', one]), archive, tag)
}

async function npmFolder(): Promise<string> {
  const { stdout } = await run('sh', ['-c', 'command -v npm'])
  return dirname(dirname(await realpath(stdout.trim())))
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error
}
