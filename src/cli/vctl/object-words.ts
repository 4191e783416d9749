/** The words of `host`, `listener`, `backend`, `server` and `frontend`, as vctl has them. */
import type { CommandSpec, Words } from '../spec.ts'
import type { VctlCommand } from './command.ts'
import {
  allOf,
  BACKEND_FLAG,
  durationOf,
  idFlag,
  Mistake,
  required,
  TLS_FLAGS,
  tlsOf,
  TTL,
  ttlOf,
  wholeOf,
} from './flags.ts'
import { specsOf, type Upserted } from './specs.ts'

const NOTHING_MORE = { ttl: null, keyPair: null }

function said(word: string): { upsert: string; rm: () => string } {
  return { upsert: `${word} upserted`, rm: () => `${word} deleted` }
}

const HOSTS = specsOf({
  word: 'host',
  kind: 'host',
  id: ['name', { value: 'HOST', text: 'of the certificate', completes: 'host' }],
  owner: null,
  upsert: {
    flags: {
      privateKey: { value: 'FILE', text: 'the private key, PEM', completes: 'file' },
      cert: { value: 'FILE', text: 'the certificate and its chain, PEM', completes: 'file' },
      default: { value: '', text: 'its certificate is used where no other one fits' },
      ocsp: { value: '', text: 'OCSP stapling' },
      ocspSkipCheck: { value: '', text: 'insecure: signatures of OCSP are not checked' },
      ocspPeriod: { value: 'DURATION', text: 'between two requests', default: '1h0m0s' },
      ocspResponder: { value: 'URL', text: 'a responder of OCSP', isRepeated: true },
    },
    examples: ['sluice host upsert --name example.com --cert example.crt --privateKey example.key'],
    object(words) {
      const { flags } = words
      const { cert = '', privateKey: key = '' } = flags
      if ((cert === '') !== (key === '')) {
        throw new Mistake('host upsert needs --privateKey and --cert together')
      }
      const responders = allOf(words, 'ocspResponder')
      return {
        object: {
          Name: required(words, 'name', 'host upsert'),
          Settings: {
            Default: 'default' in flags,
            KeyPair: null,
            AutoCert: null,
            OCSP: {
              Enabled: 'ocsp' in flags,
              Period: durationOf(words, 'ocspPeriod') || '1h0m0s',
              Responders: responders.length === 0 ? null : responders,
              SkipSignatureCheck: 'ocspSkipCheck' in flags,
            },
          },
        },
        ttl: null,
        keyPair: cert === '' ? null : { key, cert },
      }
    },
  },
  done: { upsert: 'host added', rm: () => 'host deleted' },
})

const LISTENERS = specsOf({
  word: 'listener',
  kind: 'listener',
  id: ['id', idFlag('listener')],
  owner: null,
  upsert: {
    flags: {
      proto: { value: 'PROTOCOL', text: 'http or https', completes: ['http', 'https'] },
      net: { value: 'NETWORK', text: 'tcp or unix', default: 'tcp', completes: ['tcp', 'unix'] },
      addr: { value: 'ADDRESS', text: 'to listen at: localhost:31000, or a path' },
      scope: { value: 'ROUTE', text: 'requests that it takes; others get 404' },
      'proxy-header': {
        value: 'FORM',
        text: 'the PROXY header that it expects: none or PROXY_V1',
        default: 'none',
        completes: ['none', 'PROXY_V1'],
      },
      ...TLS_FLAGS,
    },
    examples: ['sluice listener upsert --id web --proto http --addr localhost:31000'],
    object(words) {
      const { proto = '', net = 'tcp', addr = '', scope = '' } = words.flags
      const proxied = words.flags['proxy-header'] ?? 'none'
      const tls = tlsOf(words)
      return {
        object: {
          Id: required(words, 'id', 'listener upsert'),
          Protocol: proto,
          Address: { Network: net, Address: addr },
          Scope: scope,
          ...(tls.TLS === undefined ? {} : { Settings: tls }),
          ProxyProtocol: proxied.toLowerCase() === 'none' ? '' : proxied,
        },
        ...NOTHING_MORE,
      }
    },
  },
  done: said('listener'),
})

const BACKENDS = specsOf({
  word: 'backend',
  kind: 'backend',
  id: ['id', idFlag('backend')],
  owner: null,
  upsert: {
    flags: {
      readTimeout: { value: 'DURATION', text: 'until the first byte of a response' },
      dialTimeout: { value: 'DURATION', text: 'of a connect' },
      handshakeTimeout: { value: 'DURATION', text: 'of a TLS handshake' },
      keepAlivePeriod: { value: 'DURATION', text: 'silence until TCP probes a server' },
      maxIdleConns: { value: 'N', text: 'idle connections to each server' },
      ...TLS_FLAGS,
    },
    examples: ['sluice backend upsert --id b1 --readTimeout 5s'],
    object: (words) => ({
      object: {
        Id: required(words, 'id', 'backend upsert'),
        Type: 'http',
        Settings: {
          Timeouts: {
            Read: durationOf(words, 'readTimeout'),
            Dial: durationOf(words, 'dialTimeout'),
            TLSHandshake: durationOf(words, 'handshakeTimeout'),
          },
          KeepAlive: {
            Period: durationOf(words, 'keepAlivePeriod'),
            MaxIdleConnsPerHost: wholeOf(words, 'maxIdleConns', 0),
          },
          ...tlsOf(words),
        },
      },
      ...NOTHING_MORE,
    }),
  },
  done: said('backend'),
})

const SERVERS = specsOf({
  word: 'server',
  kind: 'server',
  id: ['id', idFlag('server')],
  owner: ['backend', BACKEND_FLAG],
  upsert: {
    flags: { url: { value: 'URL', text: 'http://HOST:PORT' }, ttl: TTL },
    examples: ['sluice server upsert --id s1 -b b1 --url http://10.0.0.1:5000 --ttl 10s'],
    object: (words) => ({
      object: {
        Id: required(words, 'id', 'server upsert'),
        URL: required(words, 'url', 'server upsert'),
      },
      ttl: ttlOf(words),
      keyPair: null,
    }),
  },
  done: { upsert: 'server upserted', rm: (id) => `Server ${id} deleted` },
})

const FRONTENDS = specsOf({
  word: 'frontend',
  kind: 'frontend',
  id: ['id', idFlag('frontend')],
  owner: null,
  upsert: {
    flags: {
      route: { value: 'ROUTE', text: `which requests: 'Host("a.example") && Path("/p")'` },
      backend: BACKEND_FLAG,
      ttl: TTL,
      maxMemBodyKB: { value: 'N', text: 'KiB of a body that are kept in memory' },
      maxBodyKB: { value: 'N', text: 'KiB that a body may have' },
      failoverPredicate: { value: 'PREDICATE', text: 'when another server is tried' },
      forwardHost: { value: 'HOST', text: 'what servers get as X-Forwarded-Server' },
      trustForwardHeader: { value: '', text: 'X-Forwarded-* of clients are passed on' },
      passHostHeader: { value: '', text: 'servers get the Host of the client' },
      stream: { value: '', text: 'bodies are passed on as they come' },
    },
    examples: [`sluice frontend upsert --id f1 -b b1 --route 'Path("/")'`],
    object: frontendOf,
  },
  done: said('frontend'),
})

function frontendOf(words: Words): Upserted {
  const { flags } = words
  return {
    object: {
      Id: required(words, 'id', 'frontend upsert'),
      Route: required(words, 'route', 'frontend upsert'),
      Type: 'http',
      BackendId: required(words, 'backend', 'frontend upsert'),
      Settings: {
        Limits: {
          MaxMemBodyBytes: wholeOf(words, 'maxMemBodyKB', 0) * 1024,
          MaxBodyBytes: wholeOf(words, 'maxBodyKB', 0) * 1024,
        },
        FailoverPredicate: flags['failoverPredicate'] ?? '',
        Hostname: flags['forwardHost'] ?? '',
        TrustForwardHeader: 'trustForwardHeader' in flags,
        PassHostHeader: 'passHostHeader' in flags,
        Stream: 'stream' in flags,
        StreamFlushIntervalNanoSecs: 0,
      },
    },
    ttl: ttlOf(words),
    keyPair: null,
  }
}

export const OBJECT_SPECS: readonly CommandSpec<VctlCommand>[] = [
  ...HOSTS,
  ...LISTENERS,
  ...BACKENDS,
  ...SERVERS,
  ...FRONTENDS,
]
