/**
 * Stand-ins for public images, for machines that cannot pull one: files of Debian packages. Only the test's own engine ever sees
 * them. The base image of the Dockerfile has the Node of the npm package `node`, and this machine's npm with its registry and
 * certificates.
 */
import { execFile } from 'node:child_process'
import { cp, mkdir, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { extractPackages } from '../support/debian-packages.ts'
import type { DockerEngine } from '../support/docker-engine.ts'

const run = promisify(execFile)

/** What every image has. */
const PACKAGES = [
  ...['base-files', 'dash', 'coreutils', 'libc6', 'libgcc-s1', 'libstdc++6', 'libatomic1'],
  // What coreutils is linked to.
  ...['libacl1', 'libattr1', 'libgmp10', 'libpcre2-8-0', 'libselinux1', 'libssl3'],
]
const USERS = 'root:x:0:0:root:/root:/bin/sh\nnode:x:1000:1000::/home/node:/bin/sh\n'
const GROUPS = 'root:x:0:\nnode:x:1000:\n'
const CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt'

export async function makeBaseImage(
  engine: DockerEngine,
  folder: string,
  tag: string,
): Promise<void> {
  const env = [
    `npm_config_registry=${(await run('npm', ['config', 'get', 'registry'])).stdout.trim()}`,
  ]
  const certificates = process.env['NODE_EXTRA_CA_CERTS']
  if (certificates !== undefined) env.push(`NODE_EXTRA_CA_CERTS=${CERTIFICATES}`)
  await makeImage(engine, folder, {
    tag,
    packages: [],
    changes: env.map((one) => `ENV ${one}`),
    async fill(root) {
      await mkdir(join(root, 'usr/local/lib/node_modules'), { recursive: true })
      await cp(process.execPath, join(root, 'usr/local/bin/node'))
      await cp(await npmFolder(), join(root, 'usr/local/lib/node_modules/npm'), { recursive: true })
      await symlink('../lib/node_modules/npm/bin/npm-cli.js', join(root, 'usr/local/bin/npm'))
      if (certificates === undefined) return
      await mkdir(join(root, dirname(CERTIFICATES)), { recursive: true })
      await cp(certificates, join(root, CERTIFICATES), { dereference: true })
    },
  })
}

export interface StandIn {
  readonly tag: string
  /** Debian packages beside those that every image has. */
  readonly packages: readonly string[]
  /** Lines of a Dockerfile: ENV, USER, CMD ... */
  readonly changes: readonly string[]
  /** Adds files to the extracted packages. */
  fill(root: string): Promise<void>
  /** Folders that belong to the user 1000. */
  readonly owned?: readonly string[]
}

export async function makeImage(
  engine: DockerEngine,
  folder: string,
  { tag, packages, changes, fill, owned = [] }: StandIn,
): Promise<void> {
  const name = tag.replace(/\W/g, '-')
  const root = join(folder, name)
  await extractPackages([...PACKAGES, ...packages], join(folder, `${name}-packages`), root)
  for (const place of ['usr/local/bin', 'root', 'tmp']) {
    await mkdir(join(root, place), { recursive: true })
  }
  await symlink('dash', join(root, 'bin/sh')).catch(ignoreExisting)
  await writeFile(join(root, 'etc/passwd'), USERS)
  await writeFile(join(root, 'etc/group'), GROUPS)
  await fill(root)

  const archive = join(folder, `${name}.tar`)
  const exclude = owned.map((place) => `--exclude=./${place}`)
  await run('tar', ['-C', root, '--owner=0', '--group=0', ...exclude, '-cf', archive, '.'])
  for (const place of owned) {
    await mkdir(join(root, place), { recursive: true })
    await run('tar', ['-C', root, '--owner=1000', '--group=1000', '-rf', archive, `./${place}`])
  }
  const all = [`ENV PATH=/usr/local/bin:/usr/bin:/bin`, ...changes]
  await engine.docker('import', ...all.flatMap((one) => ['-c', one]), archive, tag)
  for (const done of [root, archive]) await rm(done, { recursive: true })
}

async function npmFolder(): Promise<string> {
  const { stdout } = await run('sh', ['-c', 'command -v npm'])
  return dirname(dirname(await realpath(stdout.trim())))
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error
}
