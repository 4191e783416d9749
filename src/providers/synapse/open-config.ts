/** Opens what a file is the configuration of: synapse, or frontrunner. */
import type { Provider } from '../provider.ts'
import { openFrontrunner } from './frontrunner-provider.ts'
import { isFrontrunner, readFrontrunner } from './frontrunner.ts'
import { readSynapseConfig } from './read-config.ts'
import type { SynapseSource } from './source.ts'
import { createSynapseProvider } from './synapse-provider.ts'

/** Rejects with the reason if the file cannot be read. */
export async function openConfig({ name, file, resolver }: SynapseSource): Promise<Provider> {
  const { root } = readSynapseConfig(file)
  if (isFrontrunner(root)) return openFrontrunner(name, readFrontrunner(root), resolver)
  return createSynapseProvider({ name, file, resolver })
}
