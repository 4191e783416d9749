/** The session of a TLS client, to be resumed. */
import { once } from 'node:events'
import type { SecureVersion, TLSSocket } from 'node:tls'

/** In TLS 1.3 its ticket comes after the handshake. */
export async function sessionOf(
  socket: TLSSocket,
  version: SecureVersion,
): Promise<Buffer | undefined> {
  if (version === 'TLSv1.2') return socket.getSession()
  const [session] = (await once(socket, 'session')) as [Buffer]
  return session
}
