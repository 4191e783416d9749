import { readFileSync } from 'node:fs'

/** From package.json, which is two folders up both from src and from dist. */
export function versionNumber(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  const { version } = JSON.parse(text) as { version: string }
  return version
}

/** `sluice 0.1.0 (Node v26.10.0)`. */
export function versionText(): string {
  return `sluice ${versionNumber()} (Node ${process.version})`
}
