/** Go's time.Time in UTC: its text, and layouts that are written as the reference time. */
import type { Moment } from './value.ts'

const MONTHS =
  'January February March April May June July August September October November December'.split(' ')
const DAYS = 'Sunday Monday Tuesday Wednesday Thursday Friday Saturday'.split(' ')
/** Longest first, where one begins another. */
const ELEMENT =
  /January|Jan|Monday|Mon|MST|2006|Z07:00|Z0700|-07:00|-0700|-07|_2|01|02|03|04|05|06|002|15|PM|pm|[.,]0+(?!\d)|[.,]9+(?!\d)|[12345]/g

/** `layout` null is what printing a time gives. */
export function formatMoment(moment: Moment, layout: string | null): string {
  const date = new Date(moment.epochMs)
  const elements = elementsOf(date)
  const written = layout ?? '2006-01-02 15:04:05.999999999 -0700 MST'
  return written.replace(ELEMENT, (element) => {
    if (/^[.,]/.test(element)) return fractionOf(date, element)
    return elements[element] ?? element
  })
}

function elementsOf(date: Date): Readonly<Record<string, string>> {
  const two = (value: number): string => String(value).padStart(2, '0')
  const month = MONTHS[date.getUTCMonth()] ?? ''
  const day = DAYS[date.getUTCDay()] ?? ''
  const hour = date.getUTCHours()
  const twelve = hour % 12 === 0 ? 12 : hour % 12
  const year = date.getUTCFullYear()
  const dayOfYear = Math.floor((date.getTime() - Date.UTC(year, 0, 1)) / 86_400_000) + 1
  return {
    ...{ January: month, Jan: month.slice(0, 3), '01': two(date.getUTCMonth() + 1) },
    ...{ '1': String(date.getUTCMonth() + 1), Monday: day, Mon: day.slice(0, 3) },
    ...{ '02': two(date.getUTCDate()), '2': String(date.getUTCDate()) },
    ...{ _2: String(date.getUTCDate()).padStart(2), '002': String(dayOfYear).padStart(3, '0') },
    ...{ '15': two(hour), '03': two(twelve), '3': String(twelve) },
    ...{ '04': two(date.getUTCMinutes()), '4': String(date.getUTCMinutes()) },
    ...{ '05': two(date.getUTCSeconds()), '5': String(date.getUTCSeconds()) },
    ...{ '2006': String(year).padStart(4, '0'), '06': two(year % 100) },
    ...{ PM: hour < 12 ? 'AM' : 'PM', pm: hour < 12 ? 'am' : 'pm', MST: 'UTC' },
    ...{ 'Z07:00': 'Z', Z0700: 'Z', '-07:00': '+00:00', '-0700': '+0000', '-07': '+00' },
  }
}

/** `.000` writes all places, `.999` those that are not zero at the end. */
function fractionOf(date: Date, element: string): string {
  const places = element.length - 1
  const digits = String(date.getUTCMilliseconds()).padStart(3, '0').padEnd(places, '0')
  const cut = digits.slice(0, places)
  if (element.includes('0')) return element.charAt(0) + cut
  const short = cut.replace(/0+$/, '')
  return short === '' ? '' : element.charAt(0) + short
}
