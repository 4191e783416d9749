/**
 * Values as they are shown, as JSON: lists have thousands of them. Hiding copies every member, so what certainly holds no secret is
 * written as it is (2 us instead of 9).
 */
import { escapeUnshown } from '../json.ts'
import { hideKeys } from './changes.ts'

/**
 * More than `hideKeys` looks for, in the JSON of a value, whose escapes are few and known: names of secret members, hooks and
 * headers of health checks, keys beside certificates, PEM text, urls with a user.
 */
const MAY_HOLD_SECRET =
  /secret|password|authorization|x-api-key|ontripped|onstandby|"health"|"key"|PRIVATE KEY|:\/\/(?:[^"\\]|\\.)*@/i

/** JSON of the value without its secrets. */
export function shownJson(value: unknown): string {
  const text = JSON.stringify(value)
  return MAY_HOLD_SECRET.test(text) ? JSON.stringify(hideKeys(value)) : text
}

/** The same, safe for a terminal. */
export function shownText(value: unknown): string {
  return escapeUnshown(shownJson(value))
}

export function openText(value: unknown): string {
  return escapeUnshown(JSON.stringify(value))
}
