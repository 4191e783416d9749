/** What a service of Consul says to the proxies that read its tags. */
import type { Registration } from './registrar.ts'

/** As labels of Sluice: without the first one, its provider does not read the service. */
export function tagsOf({ labels, tags, scheme, backup }: Registration): readonly string[] {
  const all: Readonly<Record<string, string>> = {
    'sluice.enable': 'true',
    ...(scheme === null ? {} : { 'sluice.scheme': scheme }),
    ...(backup ? { 'sluice.backup': 'true' } : {}),
    ...labels,
  }
  return [...new Set([...Object.entries(all).map(([name, text]) => `${name}=${text}`), ...tags])]
}
