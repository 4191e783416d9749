/** What parsing a declared object gave, as the tests of schemas read it. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import type { Parsed } from '../../src/model/parsed.ts'

export function noFile(path: string): string {
  throw Object.assign(new Error(`open ${path}`), { code: 'ENOENT' })
}

export function readFile(path: string): string {
  return readFileSync(path, 'utf8')
}

export function valueOf<T>(parsed: Parsed<T>): T {
  assert.ok(parsed.ok, JSON.stringify(parsed))
  return parsed.value
}

export function messagesOf(parsed: Parsed<unknown>): readonly string[] {
  return parsed.ok ? [] : parsed.problems.map(({ message }) => message)
}
