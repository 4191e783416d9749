/** What a flag of vulcand does not do here: a line for each that was given. */
import type { VulcandFlag } from './flags.ts'
import type { Flags } from './configuration.ts'

const IDLE: Readonly<Partial<Record<VulcandFlag, string>>> = {
  certPath: 'has no effect, as in vulcand',
  endpointReadTimeout:
    'has no effect, as in vulcand: a server has -serverReadTimeout, or Timeouts.Read of its backend',
  memProfileRate: 'has no effect: it is of Go; docs/operating.md tells how to profile',
  enableJaegerTracing: 'has no effect: nothing is traced',
  debugJaegerTracing: 'has no effect: nothing is traced',
  etcdSyncIntervalSeconds: 'has no effect: it is of the API 2 of etcd; name all members in -etcd',
}

export function remarkFlags(flags: Flags): readonly string[] {
  const remarks = Object.entries(IDLE).flatMap(([name, text]) =>
    isGiven(flags, name as VulcandFlag) ? [`-${name} ${text}`] : [],
  )
  const add = (name: VulcandFlag, isTrue: boolean, text: string): void => {
    if (isTrue && flags.has(name)) remarks.push(`-${name} ${text}`)
  }
  add(
    'etcdConsistency',
    flags.text('etcdConsistency').toUpperCase() !== 'STRONG',
    'has no effect: reads are always STRONG',
  )
  add(
    'readTimeout',
    true,
    flags.has('serverReadTimeout')
      ? 'has no effect: -serverReadTimeout is given'
      : 'is deprecated: write -serverReadTimeout',
  )
  add(
    'writeTimeout',
    true,
    flags.has('serverWriteTimeout')
      ? 'has no effect: -serverWriteTimeout is given'
      : 'is deprecated: write -serverWriteTimeout',
  )
  add(
    'serverWriteTimeout',
    true,
    'bounds no response here, only the wait for responses at the end of the program',
  )
  const headers = flags.whole('serverMaxHeaderBytes')
  if (headers > 1024 ** 2) add('serverMaxHeaderBytes', true, 'is 1048576, which is the most')
  if (headers < 1024) add('serverMaxHeaderBytes', true, 'is 1024, which is the least')
  if (flags.text('engine') === 'memng' && flags.text('sealKey') !== '') {
    remarks.push('-sealKey has no effect: in memory, key pairs are not sealed')
  }
  if (flags.text('statsdAddr') === '') {
    add('statsdPrefix', flags.text('statsdPrefix') !== '', 'has no effect without -statsdAddr')
  }
  const form = flags.text('log')
  if (form === 'syslog') {
    remarks.push('-log=syslog: lines go to standard output, as with console')
  } else if (!['console', 'json', 'logstash'].includes(form)) {
    remarks.push(`-log=${form} is not known: lines are in the form of console`)
  }
  return remarks
}

/** A boolean that is written as false asks for nothing; neither does an empty text. */
function isGiven(flags: Flags, name: VulcandFlag): boolean {
  return flags.has(name) && !['', 'false', '0'].includes(flags.text(name))
}
