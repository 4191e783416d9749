/** Files that are rendered, as /api/templates shows them and /metrics counts them. */

/**
 * `waiting`: it was not rendered yet, because its keys have not been read. `current`: the file is as the template has it. `differs`: it
 * is not, and is left as it is on purpose (noop). `failing`: it could not be rendered, checked, written or reloaded.
 */
export const TEMPLATE_STATES = ['waiting', 'current', 'differs', 'failing'] as const
export type TemplateState = (typeof TEMPLATE_STATES)[number]

/** Times are ms since the epoch; null: it has not happened. */
export interface TemplateReport {
  readonly name: string
  readonly dest: string
  /** Of its keys: `etcd 127.0.0.1:2379`; null: it has none. */
  readonly source: string | null
  readonly state: TemplateState
  /** Why it waits or fails, or why the source of its keys is away; null: all is well. */
  readonly reason: string | null
  /** Since when it is in this state. */
  readonly since: number
  /** When it was rendered without a failure. */
  readonly renderedAt: number | null
  /** When the file was written. */
  readonly changedAt: number | null
  /** Since the start. */
  readonly renders: number
  readonly failures: number
  readonly changes: number
}
