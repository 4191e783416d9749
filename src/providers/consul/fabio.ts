/**
 * The routes that fabio's tags of services declare. A route may have destinations of several services, so all of them are read
 * together.
 */
import type { LabelRules } from '../labels/labelled.ts'
import type { Command } from '../layouts/fabio/command.ts'
import { toObjects } from '../layouts/fabio/objects.ts'
import { hasFabioTag, readTags } from '../layouts/fabio/tags.ts'
import type { DeclaredObject } from '../provider.ts'
import type { Instance } from './instances.ts'

/** Objects that are the same as before are the same values. */
export type ReadFabioTags = (instances: Iterable<Instance>) => readonly DeclaredObject[]

/** A tag is what exposes a service to fabio; `constraint` limits what is read. */
export function createFabioReader({ constraint }: Pick<LabelRules, 'constraint'>): ReadFabioTags {
  const known = new WeakMap<Instance, readonly Command[]>()
  let before: readonly Instance[] = []
  let objects: readonly DeclaredObject[] = []

  function commandsOf(instance: Instance): readonly Command[] {
    const commands = known.get(instance) ?? toCommands(instance)
    known.set(instance, commands)
    return commands
  }

  return (instances) => {
    const tagged = [...instances].filter(
      ({ tags, item }) => hasFabioTag(tags) && constraint?.(item.labels) !== false,
    )
    const isSame = tagged.length === before.length && tagged.every((one, at) => one === before[at])
    if (!isSame) objects = tagged.length === 0 ? [] : toObjects(tagged.flatMap(commandsOf))
    before = tagged
    return objects
  }
}

function toCommands({ item, tags, datacenter: datacentre }: Instance): readonly Command[] {
  const { service, key, isServing } = item
  const [port = 0] = item.ports
  const reached = item.address(port)
  const host = 'reason' in reached ? '' : reached.host
  return readTags({ service, host, port, tags, key, datacentre, isServing })
}
