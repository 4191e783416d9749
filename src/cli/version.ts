import { readFileSync } from 'node:fs'

/** Of package.json, which stands two folders up from here both in src and in dist. */
export function versionNumber(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  const { version } = JSON.parse(text) as { version: string }
  return version
}

/** `sluice 0.1.0 (Node v26.10.0)`. */
export function versionText(): string {
  return `sluice ${versionNumber()} (Node ${process.version})`
}
