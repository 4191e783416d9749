/** `serve --synapse FILE`: the settings with one more source, the first after the file. */
import type { Problem } from '../model/problem.ts'
import { synapse } from '../providers/synapse/source.ts'
import type { ResolvedSettings } from '../schema/resolve-settings.ts'

const NAME = 'synapse'

/** `file`: absolute. */
export function withSynapse(
  { settings, problems, fatal }: ResolvedSettings,
  file: string,
): ResolvedSettings {
  const { data, resolver, sources } = settings
  const parsed = synapse.parse(NAME, { file }, { filename: file, data, resolver })
  const reasons = parsed.ok ? [] : parsed.problems.map(({ message }) => message)
  if (sources.some(({ name }) => name === NAME)) {
    reasons.push('the configuration has a source of this name: give that another one')
  }
  if (!parsed.ok || reasons.length > 0) {
    const about = { kind: 'settings', id: '', source: 'command line', key: '--synapse' } as const
    const problem: Problem = { ...about, message: `--synapse: ${reasons.join('; ')}` }
    return { settings, problems: [...problems, problem], fatal: [...fatal, problem] }
  }
  return { settings: { ...settings, sources: [parsed.value, ...sources] }, problems, fatal }
}
