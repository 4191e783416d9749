/** What a real etcd needs to ask who we are: users with passwords, and certificates. */
import type { TestContext } from 'node:test'
import type { RegistryTls } from '../../src/providers/registry/options.ts'
import { createAuthority } from './certificates.ts'
import { startEtcd } from './etcd.ts'
import type { Etcd } from './etcd.ts'

export const READER = { username: 'reader', password: 'secret' } as const

/** An etcd in which only root may do everything, and READER may read below one prefix. */
export interface GuardedEtcd extends Pick<Etcd, 'endpoint' | 'port'> {
  put(key: string, value: string): Promise<void>
  grantRead(prefix: string): Promise<void>
  revokeRead(prefix: string): Promise<void>
  changePassword(password: string): Promise<void>
}

export async function startGuardedEtcd(
  t: TestContext,
  prefix: string,
  args: readonly string[] = [],
): Promise<GuardedEtcd> {
  const etcd = await startEtcd(t, { args })
  const base64 = (text: string): string => Buffer.from(text).toString('base64')
  const below = (root: string): object => ({
    key: base64(`${root}/`),
    range_end: base64(`${root}0`),
  })

  // Tokens end early in some tests: root logs in each time.
  async function asRoot(path: string, body: object): Promise<void> {
    const { token } = await etcd.call('/v3/auth/authenticate', { name: 'root', password: 'root' })
    await etcd.call(path, body, String(token))
  }

  async function grantRead(root: string, call = asRoot): Promise<void> {
    await call('/v3/auth/role/grant', {
      name: 'reader',
      perm: { permType: 'READ', ...below(root) },
    })
  }

  for (const [name, password] of [
    ['root', 'root'],
    [READER.username, READER.password],
  ]) {
    await etcd.call('/v3/auth/user/add', { name, password })
    await etcd.call('/v3/auth/role/add', { name })
    await etcd.call('/v3/auth/user/grant', { user: name, role: name })
  }
  await grantRead(prefix, async (path, body) => void (await etcd.call(path, body)))
  await etcd.call('/v3/auth/enable', {})

  return {
    endpoint: etcd.endpoint,
    port: etcd.port,
    put: (key, value) => asRoot('/v3/kv/put', { key: base64(key), value: base64(value) }),
    grantRead,
    revokeRead: (root) => asRoot('/v3/auth/role/revoke', { role: 'reader', ...below(root) }),
    changePassword: (password) =>
      asRoot('/v3/auth/user/changepw', { name: READER.username, password }),
  }
}

export interface TlsEtcd {
  readonly etcd: Etcd
  /** With everything that it asks for. */
  readonly tls: RegistryTls
}

/** `names` are in its certificate; `isMutual`: it requires ours. */
export async function startTlsEtcd(
  t: TestContext,
  names: readonly string[],
  isMutual: boolean,
): Promise<TlsEtcd> {
  const authority = createAuthority(t)
  const { certPath, keyPath } = authority.issue(...names)
  const client = authority.issue('sluice')
  const files = { cert: certPath, key: keyPath }
  const etcd = await startEtcd(t, {
    tls: isMutual ? { ...files, ca: authority.certPath } : files,
  })
  const cert = isMutual ? client.cert : null
  const key = isMutual ? client.key : null
  return { etcd, tls: { ca: authority.cert, cert, key, serverName: null, verify: true } }
}
