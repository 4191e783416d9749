/**
 * vulcand's objects as its API writes them: every member, in the order of its structs. What is read is decoded as Go does, in
 * any case of names; the id of the key always wins.
 */
import { isMap, type JsonMap } from '../../model/parsed.ts'
import { type ObjectKind, splitParts } from '../../model/names.ts'
import { type GoStruct, readStruct } from '../../providers/layouts/vulcand/go-json.ts'
import { TranslationError } from '../../providers/layouts/translation.ts'

/** Throws TranslationError if a member has another type than in Go. `id`: as the key has it. */
export function toForm(kind: ObjectKind, map: JsonMap, id: string): JsonMap {
  const struct = readStruct(map)
  switch (kind) {
    case 'host':
      return hostForm(struct, id)
    case 'listener':
      return listenerForm(struct, id)
    case 'backend':
      return backendForm(struct, id)
    case 'server':
      return { Id: splitParts(id)[1], URL: struct.text('URL') }
    case 'frontend':
      return frontendForm(struct, id)
    case 'middleware':
      return middlewareForm(struct, splitParts(id)[1])
    default:
      return kind satisfies never
  }
}

function hostForm(host: GoStruct, name: string): JsonMap {
  const settings = host.struct('Settings')
  const ocsp = settings.struct('OCSP')
  const pair = settings.raw('KeyPair')
  return {
    Name: name,
    Settings: {
      Default: settings.flag('Default'),
      KeyPair: isMap(pair) ? keyPairForm(settings.struct('KeyPair')) : null,
      AutoCert: settings.raw('AutoCert') ?? null,
      OCSP: {
        Enabled: ocsp.flag('Enabled'),
        Period: ocsp.text('Period'),
        Responders: ocsp.raw('Responders') === undefined ? null : ocsp.texts('Responders'),
        SkipSignatureCheck: ocsp.flag('SkipSignatureCheck'),
      },
    },
  }
}

function keyPairForm(pair: GoStruct): JsonMap {
  return { Key: pair.text('Key'), Cert: pair.text('Cert') }
}

function listenerForm(listener: GoStruct, id: string): JsonMap {
  const address = listener.struct('Address')
  const proxied = listener.text('ProxyProtocol').toUpperCase()
  const settings = listener.raw('Settings')
  return {
    Id: id,
    Protocol: listener.text('Protocol').toLowerCase(),
    Address: { Network: address.text('Network').toLowerCase(), Address: address.text('Address') },
    Scope: listener.text('Scope'),
    ...(settings === undefined
      ? {}
      : { Settings: { TLS: tlsForm(listener.struct('Settings').struct('TLS')) } }),
    ProxyProtocol: proxied === 'NONE' ? '' : proxied,
  }
}

function backendForm(backend: GoStruct, id: string): JsonMap {
  const settings = backend.struct('Settings')
  const timeouts = settings.struct('Timeouts')
  const keepAlive = settings.struct('KeepAlive')
  return {
    Id: id,
    Type: backend.text('Type'),
    Settings: {
      Timeouts: {
        Read: timeouts.text('Read'),
        Dial: timeouts.text('Dial'),
        TLSHandshake: timeouts.text('TLSHandshake'),
      },
      KeepAlive: {
        Period: keepAlive.text('Period'),
        MaxIdleConnsPerHost: keepAlive.whole('MaxIdleConnsPerHost'),
      },
      ...(settings.raw('TLS') === undefined ? {} : { TLS: tlsForm(settings.struct('TLS')) }),
    },
  }
}

function tlsForm(tls: GoStruct): JsonMap {
  const cache = tls.struct('SessionCache')
  const capacity = cache.struct('Settings')
  return {
    PreferServerCipherSuites: tls.flag('PreferServerCipherSuites'),
    InsecureSkipVerify: tls.flag('InsecureSkipVerify'),
    MinVersion: tls.text('MinVersion'),
    MaxVersion: tls.text('MaxVersion'),
    SessionTicketsDisabled: tls.flag('SessionTicketsDisabled'),
    SessionCache: {
      Type: cache.text('Type'),
      Settings:
        cache.raw('Settings') === undefined ? null : { Capacity: capacity.whole('Capacity') },
    },
    CipherSuites: tls.raw('CipherSuites') === undefined ? null : tls.texts('CipherSuites'),
  }
}

function frontendForm(frontend: GoStruct, id: string): JsonMap {
  const settings = frontend.struct('Settings')
  const limits = settings.struct('Limits')
  return {
    Id: id,
    Route: frontend.text('Route'),
    Type: frontend.text('Type'),
    BackendId: frontend.text('BackendId'),
    Settings: {
      Limits: {
        MaxMemBodyBytes: limits.whole('MaxMemBodyBytes'),
        MaxBodyBytes: limits.whole('MaxBodyBytes'),
      },
      FailoverPredicate: settings.text('FailoverPredicate'),
      Hostname: settings.text('Hostname'),
      TrustForwardHeader: settings.flag('TrustForwardHeader'),
      PassHostHeader: settings.flag('PassHostHeader'),
      Stream: settings.flag('Stream'),
      StreamFlushIntervalNanoSecs: settings.whole('StreamFlushIntervalNanoSecs'),
    },
  }
}

function middlewareForm(middleware: GoStruct, id: string): JsonMap {
  const type = middleware.text('Type')
  return {
    Id: id,
    Priority: middleware.whole('Priority'),
    Type: type,
    Middleware: optionsForm(type, middleware),
  }
}

function optionsForm(type: string, middleware: GoStruct): JsonMap {
  const written = middleware.raw('Middleware') ?? {}
  if (!isMap(written)) throw new TranslationError('Middleware: must be a map')
  const options = readStruct(written, 'Middleware')
  switch (type) {
    case 'ratelimit':
      return {
        PeriodSeconds: options.whole('PeriodSeconds'),
        Requests: options.whole('Requests'),
        Burst: options.whole('Burst'),
        Variable: options.text('Variable'),
        RateVar: options.text('RateVar'),
      }
    case 'connlimit':
      return { Connections: options.whole('Connections'), Variable: options.text('Variable') }
    case 'cbreaker':
      return {
        Condition: options.text('Condition'),
        Fallback: options.raw('Fallback') ?? null,
        OnTripped: options.raw('OnTripped') ?? null,
        OnStandby: options.raw('OnStandby') ?? null,
        FallbackDuration: options.whole('FallbackDuration'),
        RecoveryDuration: options.whole('RecoveryDuration'),
        CheckPeriod: options.whole('CheckPeriod'),
      }
    case 'rewrite':
      return {
        Regexp: options.text('Regexp'),
        Replacement: options.text('Replacement'),
        RewriteBody: options.flag('RewriteBody'),
        Redirect: options.flag('Redirect'),
      }
    case 'trace':
      return {
        ReqHeaders: options.raw('ReqHeaders') === undefined ? null : options.texts('ReqHeaders'),
        RespHeaders: options.raw('RespHeaders') === undefined ? null : options.texts('RespHeaders'),
        Addr: options.text('Addr'),
      }
    default:
      return written
  }
}
