/** Ports of loopback that are free now. */
import { createServer } from 'node:net'

export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(false))
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)))
  })
}

/** Null if all are free, otherwise what to do about those that are not. */
export async function usedPorts(ports: readonly number[], program: string): Promise<string | null> {
  const free = await Promise.all(ports.map(isFree))
  const used = ports.filter((_, index) => !free[index])
  if (used.length === 0) return null
  const names = used.length > 1 ? `ports ${used.join(', ')} are` : `port ${used[0]} is`
  return `${names} in use: stop what listens there (another ${program}?) and try again`
}
