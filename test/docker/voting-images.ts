/** The images of examples/voting-app, built from its Dockerfiles on stand-ins for the public images that it names. */
import { chmod, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'yaml'
import type { DockerEngine } from '../support/docker-engine.ts'
import { makeImage, type StandIn } from './base-image.ts'
import { EXAMPLES } from './traffic.ts'

export const VOTING_APP: string = join(EXAMPLES, 'voting-app')
const COMPRESSION = ['liblz4-1', 'liblzma5', 'libzstd1', 'zlib1g']
const SYSTEMD = ['libsystemd0', 'libcap2', 'libgcrypt20', 'libgpg-error0']

/** Debian's version of Python, whichever the tag names. */
const PYTHON: Omit<StandIn, 'tag'> = {
  packages: [
    ...['python3.11-minimal', 'libpython3.11-minimal', 'libpython3.11-stdlib', 'libexpat1'],
    ...['libffi8', 'libuuid1', ...COMPRESSION],
  ],
  changes: ['CMD ["python3"]'],
  fill: (root) => symlink('/usr/bin/python3.11', join(root, 'usr/local/bin/python3')),
}

/** As the public image, without a password and open to its network. */
const REDIS: Omit<StandIn, 'tag'> = {
  packages: ['redis-server', 'redis-tools', 'libjemalloc2', 'liblzf1', ...SYSTEMD, ...COMPRESSION],
  owned: ['data'],
  changes: ['WORKDIR /data', 'ENTRYPOINT ["/entrypoint"]', 'CMD ["redis-server"]'],
  fill: (root) => writeProgram(join(root, 'entrypoint'), 'exec "$@" --protected-mode no'),
}

/** As the public image: the first start makes a database, with POSTGRES_PASSWORD. */
const POSTGRES: Omit<StandIn, 'tag'> = {
  packages: [
    ...['postgresql-15', 'postgresql-client-15', 'libpq5', 'tzdata', 'libicu72', 'libxml2'],
    ...['libldap-2.5-0', 'libsasl2-2', 'libgnutls30', 'libhogweed6', 'libnettle8', 'libidn2-0'],
    ...['libp11-kit0', 'libtasn1-6', 'libunistring2', 'libffi8', 'libgssapi-krb5-2', 'libkrb5-3'],
    ...['libk5crypto3', 'libkrb5support0', 'libkeyutils1', 'libcom-err2', 'libpam0g', 'libaudit1'],
    ...['libcap-ng0', 'libreadline8', 'libtinfo6', ...SYSTEMD, ...COMPRESSION],
  ],
  owned: ['var/lib/postgresql/data', 'var/run/postgresql'],
  changes: [
    'ENV PATH=/usr/lib/postgresql/15/bin:/usr/local/bin:/usr/bin:/bin',
    'ENV PGDATA=/var/lib/postgresql/data',
    'USER 1000:1000',
    'VOLUME /var/lib/postgresql/data',
    'CMD ["/entrypoint"]',
  ],
  fill: (root) =>
    writeProgram(
      join(root, 'entrypoint'),
      `
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  echo "$POSTGRES_PASSWORD" > /tmp/password
  initdb --username postgres --pwfile /tmp/password --auth-local trust --auth-host scram-sha-256 --locale C --encoding UTF8 --no-sync
  echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
fi
exec postgres -c listen_addresses='*'`,
    ),
}

interface ComposeFile {
  readonly services: Readonly<
    Record<string, { readonly image: string; readonly build?: string | null }>
  >
}

/** Returns the images that its Compose file needs beside Sluice's own. */
export async function buildVotingApp(
  engine: DockerEngine,
  folder: string,
): Promise<readonly string[]> {
  const text = await readFile(join(VOTING_APP, 'compose.yaml'), 'utf8')
  const { sluice: _, ...services } = (parse(text) as ComposeFile).services
  const [python = ''] = await basesOf('vote')
  await makeImage(engine, folder, { ...PYTHON, tag: python })
  await makeImage(engine, folder, { ...REDIS, tag: services['redis']?.image ?? '' })
  await makeImage(engine, folder, { ...POSTGRES, tag: services['db']?.image ?? '' })
  for (const { image, build } of Object.values(services)) {
    if (typeof build !== 'string') continue
    await engine.docker('build', '--network', 'host', '-t', image, join(VOTING_APP, build))
  }
  return Object.values(services).map(({ image }) => image)
}

async function basesOf(service: string): Promise<readonly string[]> {
  const text = await readFile(join(VOTING_APP, service, 'Dockerfile'), 'utf8')
  return [...text.matchAll(/^FROM (\S+)/gm)].map(([, base = '']) => base)
}

async function writeProgram(path: string, script: string): Promise<void> {
  await writeFile(path, `#!/bin/sh\nset -e\n${script}\n`)
  await chmod(path, 0o755)
}
