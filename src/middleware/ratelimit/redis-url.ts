/** `redis://user:password@host:port/database`, or rediss:// for TLS. Messages do not repeat it, because it holds a password. */
import { isIP } from 'node:net'
import { denyHost } from '../../model/denied-address.ts'
import { withoutRoot } from '../../model/address.ts'
import type { RedisClientOptions } from '../../redis/redis-client.ts'

const DATABASE = /^\/(\d{1,5})?$|^$/

/** Why the text is not such a URL, or null. */
export function refuseRedisUrl(text: string): string | null {
  const url = URL.parse(text)
  if (url === null || !/^rediss?:$/.test(url.protocol) || url.hostname === '')
    return 'must be a url such as redis://:password@host:6379/0 (rediss:// for TLS)'
  if (!DATABASE.test(url.pathname)) return 'its path must be the number of a database, such as /0'
  if (url.search !== '' || url.hash !== '')
    return 'must have nothing behind the database; ? and # in a password are written %3F and %23'
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  const denied = denyHost(host)
  if (denied !== null) return `cannot be at ${host}: it ${denied}`
  return isDecodable(url.username) && isDecodable(url.password)
    ? null
    : 'has a % in its name or password that is not followed by two hexadecimal digits; a % itself is written %25'
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}

/** What ioredis is given for a URL that was not refused. */
export function optionsOfRedisUrl(text: string): RedisClientOptions {
  const { protocol, hostname, port, username, password, pathname } = new URL(text)
  const host = hostname.replace(/^\[(.*)\]$/, '$1')
  const database = DATABASE.exec(pathname)?.[1]
  return {
    host,
    port: Number(port || 6379),
    db: Number(database ?? 0),
    ...(username === '' ? {} : { username: decodeURIComponent(username) }),
    ...(password === '' ? {} : { password: decodeURIComponent(password) }),
    // RFC 6066 section 3: SNI is not for addresses. The certificate is verified all the same.
    ...(protocol === 'rediss:'
      ? { tls: isIP(host) === 0 ? { servername: withoutRoot(host) } : {} }
      : {}),
  }
}
