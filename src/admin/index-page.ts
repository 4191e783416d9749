/** GET /: the endpoints as a list for people. */
import type { Endpoint } from './endpoint.ts'

export function indexText(endpoints: readonly Endpoint[]): string {
  const lines = endpoints.map(({ method, path, summary }) => {
    const name = method === 'GET' ? path : `${path}   ${method}`
    return name.length > 34
      ? `${name}\n${' '.repeat(36)}${summary}`
      : `${name.padEnd(36)}${summary}`
  })
  return `Sluice admin\n\n${lines.join('\n')}\n`
}
