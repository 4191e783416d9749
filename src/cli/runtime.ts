/** The versions of the program and of Node. */
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

/**
 * The Node versions that may serve. HTTP and HTTP/2 of versions before 24.18.1 and 26.5.1 have known vulnerabilities
 * (CVE-2026-58044 and others); 25 gets no fixes any more. `version`: a process.version. Returns why it is refused, or null.
 */
export function refuseOldNode(version: string): string | null {
  const match = /^v?(\d+)\.(\d+)\.(\d+)/.exec(version)
  const [major, minor, patch] = [Number(match?.[1]), Number(match?.[2]), Number(match?.[3])]
  const isGood =
    major === 24
      ? isAtLeast(minor, patch, 18, 1)
      : major === 26
        ? isAtLeast(minor, patch, 5, 1)
        : major > 26
  if (isGood) return null
  return `Node ${version} cannot run Sluice safely: it needs 24.18.1 or later, or 26.5.1 or later (25 is refused)`
}

function isAtLeast(minor: number, patch: number, leastMinor: number, leastPatch: number): boolean {
  return minor > leastMinor || (minor === leastMinor && patch >= leastPatch)
}
