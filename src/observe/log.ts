/** The program's own log: JSON lines by pino. Only the main thread writes it; serving threads post their lines to it. */
import { pino } from 'pino'
import type { LogLevel } from '../model/settings.ts'
import { escapeBeyondAscii } from './escape.ts'
import { inLogForm, type LogForm } from './log-forms.ts'
import type { Sink } from './sink.ts'

export interface Log {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  /** An Error belongs in the field `err`. */
  error(fields: object, message: string): void
}

export interface LeveledLog extends Log {
  level(): LogLevel
  setLevel(level: LogLevel): void
}

/** `form`: missing: as pino writes it. */
export function createLog(level: LogLevel, sink: Pick<Sink, 'write'>, form?: LogForm): LeveledLog {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  }
  const shaped = form === undefined ? String : (line: string) => inLogForm(form, line)
  const logger = pino(options, { write: (line) => sink.write(escapeBeyondAscii(shaped(line))) })
  return {
    debug: (fields, message) => logger.debug(fields, message),
    info: (fields, message) => logger.info(fields, message),
    warn: (fields, message) => logger.warn(fields, message),
    error: (fields, message) => logger.error(fields, message),
    level: () => logger.level as LogLevel,
    setLevel: (next) => void (logger.level = next),
  }
}
