/** Ports for listeners that several threads or two starts share, where port 0 would be a different one each time. */
import { randomInt } from 'node:crypto'
import { connect, createServer } from 'node:net'

// Below the ports that the kernel gives to outgoing connections, so that none of those takes one meanwhile.
const LOWEST = 18_000
const HIGHEST = 32_000
const given = new Set<number>()

/** A port on which nothing listens and that this process has not used before. */
export async function choosePort(): Promise<number> {
  for (;;) {
    const port = randomInt(LOWEST, HIGHEST)
    if (given.has(port) || !(await isFree(port))) continue
    given.add(port)
    return port
  }
}

/** So many of them in a row. */
export async function adjacentPorts(count: number): Promise<readonly number[]> {
  for (;;) {
    const first = randomInt(LOWEST, HIGHEST - count)
    const ports = Array.from({ length: count }, (_, at) => first + at)
    if (ports.some((port) => given.has(port))) continue
    const free = await Promise.all(ports.map(isFree))
    if (free.includes(false)) continue
    for (const port of ports) given.add(port)
    return ports
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(false))
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)))
  })
}

/** Whether a connection to this port of the loopback is accepted. */
export function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' })
    socket.on('error', () => resolve(false))
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
  })
}
