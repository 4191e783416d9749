/** Where an engine's API is: `unix:///var/run/docker.sock`, `tcp://host:2376`, or with http:// or https://. */
import { bad, good, quote, type Scalar } from '../../model/parsed.ts'
import { parseEndpoint } from '../registry/options.ts'

export interface DockerEndpoint {
  /** Canonical, as it is shown: `unix:///var/run/docker.sock`. */
  readonly text: string
  /** Null: over TCP. */
  readonly socketPath: string | null
  /** `host:port`; null: over a socket. */
  readonly address: string | null
  /** It was written as https. */
  readonly isTls: boolean
}

export const DEFAULT_ENDPOINT = 'unix:///var/run/docker.sock'
const PLAIN_PORT = 2375
const TLS_PORT = 2376
/** Of sun_path (unix(7)). */
const MAX_SOCKET_PATH = 107
const FORMS = `must be as ${DEFAULT_ENDPOINT} or tcp://host:${TLS_PORT}`

export function parseDockerEndpoint(value: unknown): Scalar<DockerEndpoint> {
  const match = typeof value === 'string' ? /^([a-z]+):\/\/(.*)$/i.exec(value.trim()) : null
  if (match === null) return bad(`${FORMS}, not ${quote(value)}`)
  const [, written = '', rest = ''] = match
  const scheme = written.toLowerCase()
  if (scheme === 'unix') return parseSocket(rest)
  if (scheme === 'ssh' || scheme === 'npipe' || scheme === 'fd') {
    return bad(`${FORMS}; ${scheme}:// is not supported`)
  }
  const isTls = scheme === 'https'
  const isTcp = isTls || scheme === 'tcp' || scheme === 'http'
  const address = isTcp
    ? parseEndpoint(rest.replace(/\/$/, ''), isTls ? TLS_PORT : PLAIN_PORT)
    : null
  if (address === null) return bad(`${FORMS}, not ${quote(value)}`)
  if (!address.ok) return address
  const text = `${isTls ? 'https' : 'tcp'}://${address.value}`
  return good({ text, socketPath: null, address: address.value, isTls })
}

function parseSocket(path: string): Scalar<DockerEndpoint> {
  if (!path.startsWith('/')) return bad(`${FORMS}: the path of a socket begins with a slash`)
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH || path.includes('\0')) {
    return bad(`the path of a socket has at most ${MAX_SOCKET_PATH} bytes`)
  }
  return good({ text: `unix://${path}`, socketPath: path, address: null, isTls: false })
}
