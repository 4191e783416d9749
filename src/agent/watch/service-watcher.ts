/**
 * Follows the checks of one service, and registers it while all of them pass:
 *
 *   unknown --each check has run once--> up: registered
 *                                   \--> down: not registered; removed if an earlier program or configuration left it there
 *
 * The registrar keeps the registration from then on. A limit of transitions delays them; what counts is the state when there
 * is a token again.
 */
import { messageOf } from '../../model/error-message.ts'
import type { Log } from '../../observe/log.ts'
import type { CheckLoop, CheckReport } from '../checks/check-loop.ts'
import type { ServiceSpec } from '../spec/agent-spec.ts'
import type { RegistrationState } from '../registrar/registrar.ts'
import type { SharedRegistrar } from './shared-registrar.ts'
import { TransitionLimit } from './transition-limit.ts'

export interface ServiceReport {
  readonly name: string
  readonly state: 'unknown' | 'up' | 'down'
  /** Null: it is not wanted in the registry. */
  readonly registration: RegistrationState | null
  readonly isLimited: boolean
  readonly checks: readonly CheckReport[]
  /** Since the watcher began. */
  readonly transitions: number
  readonly limited: number
}

export interface ServiceWatcherOptions {
  readonly spec: ServiceSpec
  readonly checks: readonly CheckLoop[]
  readonly registrar: SharedRegistrar
  readonly log: Log
  /** ms, monotonic. */
  readonly now: () => number
}

export class ServiceWatcher {
  readonly spec: ServiceSpec
  readonly checks: readonly CheckLoop[]
  /** Resolves once what the first results say is so in the registry; it may never be. */
  readonly settled: Promise<void>
  readonly #settle: () => void
  readonly #registrar: SharedRegistrar
  readonly #log: Log
  readonly #now: () => number
  readonly #limit: TransitionLimit | null
  #wanted: boolean | null = null
  #registration: RegistrationState | null = null
  #isLimited = false
  #isStopped = false
  #transitions = 0
  #limited = 0
  #timer: NodeJS.Timeout | undefined

  constructor({ spec, checks, registrar, log, now }: ServiceWatcherOptions) {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.spec = spec
    this.checks = checks
    this.settled = promise
    this.#settle = resolve
    this.#registrar = registrar
    this.#log = log
    this.#now = now
    this.#limit = spec.limit === null ? null : new TransitionLimit(spec.limit, now())
  }

  /** The checks that have begun before go on. */
  start(running: readonly CheckLoop[] = []): void {
    for (const check of this.checks) {
      check.listen({
        onChange: (report) => this.#onCheck(report),
        onShortage: (report) => this.#onShortage(report),
      })
      if (!running.includes(check)) check.start()
    }
    this.#evaluate()
  }

  get state(): 'unknown' | 'up' | 'down' {
    const states = this.checks.map((check) => check.report().state)
    if (states.includes('down')) return 'down'
    return states.includes('unknown') ? 'unknown' : 'up'
  }

  report(): ServiceReport {
    return {
      name: this.spec.name,
      state: this.state,
      registration: this.#registration,
      isLimited: this.#isLimited,
      checks: this.checks.map((check) => check.report()),
      transitions: this.#transitions,
      limited: this.#limited,
    }
  }

  /** `keeps`: checks that go on without it. Rejects if the registry does not confirm the removal. */
  async stop(keeps: readonly CheckLoop[] = []): Promise<void> {
    this.halt(keeps)
    if (this.#wanted === true) await this.#registrar.remove(this.spec.registration)
  }

  /** What it has registered stays. */
  halt(keeps: readonly CheckLoop[] = []): void {
    this.#isStopped = true
    clearTimeout(this.#timer)
    for (const check of this.checks) if (!keeps.includes(check)) check.stop()
  }

  #onCheck({ name, state, reason }: CheckReport): void {
    if (this.#isStopped) return
    const fields = { service: this.spec.name, check: name }
    if (state === 'up') this.#log.info(fields, 'a check passes')
    else this.#log.warn({ ...fields, reason }, 'a check fails')
    this.#evaluate()
  }

  #onShortage({ name, state, reason }: CheckReport): void {
    if (this.#isStopped) return
    const fields = { service: this.spec.name, check: name, reason }
    this.#log.error(fields, `a check cannot be run: its state stays ${state}`)
  }

  #evaluate(): void {
    const { state } = this
    if (state === 'unknown' || this.#isStopped) return
    const wanted = state === 'up'
    if (wanted === this.#wanted) {
      this.#isLimited = false
      clearTimeout(this.#timer)
      return
    }
    // Without a registration there is nothing to limit.
    const isTransition = wanted || this.#wanted === true
    if (isTransition && !this.#mayChange(wanted)) return
    this.#isLimited = false
    this.#wanted = wanted
    if (isTransition) this.#transitions++
    if (wanted) this.#register()
    else void this.#remove()
  }

  #mayChange(wanted: boolean): boolean {
    const { limit } = this.spec
    if (limit === null || this.#limit === null || this.#limit.take(this.#now())) return true
    if (limit.isShadow) {
      this.#limited++
      this.#tellLimit(wanted, 'would be', 'it is done all the same')
      return true
    }
    if (!this.#isLimited) {
      this.#limited++
      const stays = this.#wanted === true ? 'registered' : 'not registered'
      this.#tellLimit(wanted, 'is', `it stays ${stays} for now`)
    }
    this.#isLimited = true
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#evaluate(), this.#limit.waitMs())
    return false
  }

  #tellLimit(wanted: boolean, verb: string, result: string): void {
    const what = wanted ? 'registration' : 'removal'
    const { rate, burst } = this.spec.limit ?? { rate: 0, burst: 0 }
    this.#log.warn(
      { service: this.spec.name, rate, burst, shadow: this.spec.limit?.isShadow },
      `the ${what} ${verb} limited by its rate: ${result}`,
    )
  }

  #register(): void {
    const { registration, reopenMs } = this.spec
    this.#log.info(this.#fields(), 'the service is up: it is to be registered')
    this.#registration = { status: 'missing', reason: 'it has just been put', isRefused: false }
    this.#registrar.want({
      registration,
      reopenMs,
      onState: (state) => this.#onRegistration(state),
    })
  }

  async #remove(): Promise<void> {
    this.#registration = null
    const failing = this.checks.map((check) => check.report()).find(({ state }) => state === 'down')
    const { name = '', reason = null } = failing ?? {}
    this.#log.warn(
      { ...this.#fields(), check: name, reason },
      'the service is down: it is not registered',
    )
    try {
      await this.#registrar.remove(this.spec.registration)
      if (this.#wanted === false) this.#settle()
    } catch (error) {
      this.#log.warn(
        { ...this.#fields(), reason: messageOf(error) },
        'the registry has not confirmed the removal',
      )
    }
  }

  #onRegistration(state: RegistrationState): void {
    if (this.#isStopped || this.#wanted !== true) return
    const before = this.#registration
    this.#registration = state
    const fields = this.#fields()
    if (state.status === 'missing') {
      const { reason, isRefused } = state
      if (isRefused) this.#log.error({ ...fields, reason }, 'the registry refuses the registration')
      else if (before?.status === 'registered')
        this.#log.warn({ ...fields, reason }, 'the registration is lost')
      return
    }
    if (state.status === 'registered') this.#log.info(fields, 'registered')
    else this.#log.error({ ...fields, reason: state.reason }, 'the registration is replaced')
    this.#settle()
  }

  #fields(): object {
    const { name, registration } = this.spec
    const { id, host, port } = registration
    return { service: name, id, host, port, registry: this.#registrar.place() }
  }
}
