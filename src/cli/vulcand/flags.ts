/** The flags of vulcand 0.9, and three of Sluice's own. */
import { quote } from '../../model/parsed.ts'
import { parseGoDuration } from '../../model/go-duration.ts'
import type { FlagSpec, FlagSpecs } from './go-flags.ts'

export type VulcandFlag =
  | 'aliases'
  | 'apiInterface'
  | 'apiPort'
  | 'certPath'
  | 'config'
  | 'data'
  | 'debugJaegerTracing'
  | 'default-listener'
  | 'enableJaegerTracing'
  | 'endpointDialTimeout'
  | 'endpointReadTimeout'
  | 'engine'
  | 'etcd'
  | 'etcdApiVer'
  | 'etcdCaFile'
  | 'etcdCertFile'
  | 'etcdConsistency'
  | 'etcdDebug'
  | 'etcdEnableTLS'
  | 'etcdInsecureSkipVerify'
  | 'etcdKey'
  | 'etcdKeyFile'
  | 'etcdPassword'
  | 'etcdSyncIntervalSeconds'
  | 'etcdUsername'
  | 'interface'
  | 'log'
  | 'logSeverity'
  | 'memProfileRate'
  | 'pidPath'
  | 'port'
  | 'printConfig'
  | 'readTimeout'
  | 'sealKey'
  | 'serverMaxHeaderBytes'
  | 'serverReadTimeout'
  | 'serverWriteTimeout'
  | 'statsdAddr'
  | 'statsdPrefix'
  | 'trustForwardHeader'
  | 'writeTimeout'

const SEVERITIES = ['panic', 'fatal', 'error', 'warn', 'warning', 'info', 'debug', 'trace']

const port = (text: string, normal: number): FlagSpec => ({
  value: 'int',
  text,
  normal: String(normal),
  refuse: (value) =>
    Number(value) >= 0 && Number(value) <= 65_535 ? null : 'must be from 0 to 65535',
})
const string = (text: string, normal = ''): FlagSpec => ({ value: 'string', text, normal })
const int = (text: string, normal: number): FlagSpec => ({
  value: 'int',
  text,
  normal: String(normal),
})
const flag = (text: string, normal = false): FlagSpec => ({
  value: '',
  text,
  normal: String(normal),
})
const duration = (text: string, normal: string): FlagSpec => ({
  value: 'duration',
  text,
  normal,
  refuse(value) {
    const ms = parseGoDuration(value)
    if (typeof ms === 'string') return ms
    return ms < 0 ? 'must not be negative' : null
  },
})

export const VULCAND_FLAGS: FlagSpecs<VulcandFlag> = {
  aliases: string(
    'other texts for parts of routes: Host("localhost")=Host("web.example"), separated by commas',
  ),
  apiInterface: string('the interface of the API; all of them by default'),
  apiPort: port('the port of the API', 8182),
  certPath: string('not used, as in vulcand'),
  config: string('Sluice: a file with further settings, such as admin, acme, workers or listeners'),
  data: string(
    'Sluice: the folder for what the program saves; by default below /var/lib/sluice, by -port',
  ),
  debugJaegerTracing: flag('not honoured: nothing is traced'),
  'default-listener': flag('listen on -interface and -port', true),
  enableJaegerTracing: flag('not honoured: nothing is traced'),
  endpointDialTimeout: duration('of connections to servers', '5s'),
  endpointReadTimeout: duration('not used, as in vulcand', '50s'),
  engine: string('where objects are: etcd, or memng, which forgets them at the end', 'etcd'),
  etcd: {
    value: 'value',
    text: 'URLs of etcd, separated by commas; may be repeated',
    normal: '',
    isList: true,
  },
  etcdApiVer: int('the API of etcd, of which 3 is spoken', 3),
  etcdCaFile: string('the authorities of etcd'),
  etcdCertFile: string('the certificate with which to log in to etcd'),
  etcdConsistency: string('not honoured: reads are always STRONG', 'STRONG'),
  etcdDebug: flag('log at the severity debug'),
  etcdEnableTLS: flag('speak TLS to etcd'),
  etcdInsecureSkipVerify: flag('speak TLS to etcd, and do not verify its certificate'),
  etcdKey: string('the prefix of the keys, with or without a slash, to the letter', 'vulcand'),
  etcdKeyFile: string('the key of -etcdCertFile'),
  etcdPassword: string('the password of -etcdUsername'),
  etcdSyncIntervalSeconds: int('not honoured: it is of the API 2', 0),
  etcdUsername: string('the user of etcd'),
  interface: string('the interface of the default listener; all of them by default'),
  log: string('console, json, logstash or syslog', 'console'),
  logSeverity: {
    value: 'value',
    text: 'the least severe lines that are logged: panic, fatal, error, warn, info, debug or trace',
    normal: 'warn',
    refuse: (value) =>
      SEVERITIES.includes(value.toLowerCase()) ? null : `not a valid logrus Level: ${quote(value)}`,
  },
  memProfileRate: int('not honoured: it is of Go', 0),
  pidPath: string('a file for the process id'),
  port: port('the port of the default listener', 8181),
  printConfig: flag('Sluice: print the configuration that these flags stand for, and end'),
  readTimeout: duration('the former name of -serverReadTimeout', '1m0s'),
  sealKey: string('opens the key pairs of hosts: 64 hexadecimal digits'),
  serverMaxHeaderBytes: int('of the head of a request', 1_048_576),
  serverReadTimeout: duration('of requests, and until a server begins its response', '1m0s'),
  serverWriteTimeout: duration('how long a response may take while the program ends', '1m0s'),
  statsdAddr: string('host:port of statsd'),
  statsdPrefix: string('the beginning of the names of metrics'),
  trustForwardHeader: flag('use the forwarding headers of every client'),
  writeTimeout: duration('the former name of -serverWriteTimeout', '1m0s'),
}

export type GivenFlags = ReadonlyMap<VulcandFlag, readonly string[]>
