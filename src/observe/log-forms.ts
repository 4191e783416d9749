/** The lines of the log in the forms of logrus, Go's logger, whose readers expect its names of levels and fields. */
export const LOG_FORMS = ['console', 'json', 'logstash'] as const

/** `console` is logrus' text form: `time="..." level=warning msg="..." key=value`. */
export type LogForm = (typeof LOG_FORMS)[number]

/** From a line of the log, an object of JSON with its line end, to a line of the form. */
export function inLogForm(form: LogForm, line: string): string {
  const { level, time, msg, ...fields } = JSON.parse(line) as Record<string, unknown>
  const severity = level === 'warn' ? 'warning' : level
  switch (form) {
    case 'console':
      return `${toText({ time, level: severity, msg, ...fields })}\n`
    case 'json':
      return `${JSON.stringify({ ...fields, level: severity, msg, time })}\n`
    case 'logstash': {
      const whole = { '@timestamp': time, '@version': '1', ...fields }
      return `${JSON.stringify({ ...whole, level: severity, message: msg, type: 'logs' })}\n`
    }
    default:
      return form satisfies never
  }
}

const PLAIN = /^[\w.\-/@^+]+$/

function toText(fields: Readonly<Record<string, unknown>>): string {
  return Object.entries(fields)
    .map(([name, value]) => {
      const text = textOf(value)
      // logrus also quotes the time, whose colons are not plain.
      return `${name}=${PLAIN.test(text) ? text : JSON.stringify(text)}`
    })
    .join(' ')
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  const { message } = Object(value) as { readonly message?: unknown }
  return typeof message === 'string' ? message : JSON.stringify(value)
}
