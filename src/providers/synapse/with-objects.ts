/** A provider whose objects are other ones: what has changed is found by comparing them. */
import { createObjectMirror } from '../listing/object-mirror.ts'
import type { Declaration, DeclaredObject, Provider, Unreadable } from '../provider.ts'

export function withObjects(
  provider: Provider,
  map: (objects: readonly DeclaredObject[]) => readonly DeclaredObject[],
): Provider {
  async function* watch(signal: AbortSignal): AsyncGenerator<Declaration | Unreadable> {
    const mirror = createObjectMirror()
    for await (const one of provider.watch(signal)) {
      if (!one.readable) {
        yield one
        continue
      }
      const { problems, revision, listed, changedAt } = one
      const objects = map([...one.objects])
      yield { ...one, ...mirror.declare({ objects, problems, revision }, listed, changedAt) }
    }
  }
  return { name: provider.name, watch, reload: () => provider.reload() }
}
