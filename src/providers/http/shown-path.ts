import { hash } from 'node:crypto'

/** A query may hold a token: its hash distinguishes it from others. */
export function shownPath(path: string): string {
  const [shown = '', query] = path.split('?', 2)
  return query === undefined ? shown : `${shown}?${hash('sha256', query, 'hex').slice(0, 8)}`
}
