/** Go's forms of a float64 (strconv.FormatFloat). */

export type FloatForm = 'b' | 'e' | 'E' | 'f' | 'g' | 'G' | 'x' | 'X'

/** `digits`: behind the point, for `g` all of them; null is as many as tell the number from all others. */
export function formatFloat(value: number, form: FloatForm, digits: number | null): string {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf'
  const sign = value < 0 || Object.is(value, -0) ? '-' : ''
  const text = sign + formatPositive(Math.abs(value), form.toLowerCase(), digits)
  return form === 'b' || form === form.toLowerCase() ? text : text.toUpperCase()
}

function formatPositive(value: number, form: string, digits: number | null): string {
  switch (form) {
    case 'f':
      return digits === null ? plain(value) : fixed(value, digits)
    case 'g':
      return shortest(value, digits === null ? null : Math.max(digits, 1))
    case 'b': {
      const { mantissa, power } = partsOf(value)
      return `${mantissa}p${power < 0 ? '' : '+'}${power}`
    }
    case 'x':
      return hexadecimal(value, digits)
    default: {
      const [mantissa = '', power = '0'] = exponential(value, digits).split('e')
      return withExponent(mantissa, Number(power))
    }
  }
}

function shortest(value: number, digits: number | null): string {
  const written = exponential(value, digits === null ? null : digits - 1)
  const [mantissa = '', power = '0'] = written.split('e')
  const exponent = Number(power)
  const significant = mantissa.replace('.', '').replace(/0+$/, '') || '0'
  let most = digits ?? 6
  if (digits !== null && digits > significant.length && significant.length > exponent)
    most = significant.length
  if (exponent >= -4 && exponent < most) return placed(significant, exponent)
  const point = significant.length > 1 ? `.${significant.slice(1)}` : ''
  return withExponent(`${significant[0]}${point}`, exponent)
}

/** 0x1.8p+00: the point behind the first bit, the power of two in decimal. */
function hexadecimal(value: number, digits: number | null): string {
  let { mantissa, power } = partsOf(value)
  if (mantissa === 0n) {
    const zeros = digits !== null && digits > 0 ? `.${'0'.repeat(digits)}` : ''
    return `0x0${zeros}p+00`
  }
  while (mantissa < 1n << 52n) {
    mantissa <<= 1n
    power--
  }
  if (digits !== null && digits < 13) {
    const dropped = BigInt(4 * (13 - digits))
    const rest = mantissa & ((1n << dropped) - 1n)
    const half = 1n << (dropped - 1n)
    mantissa >>= dropped
    if (rest > half || (rest === half && mantissa % 2n === 1n)) mantissa++
    mantissa <<= dropped
    if (mantissa >= 1n << 53n) {
      mantissa >>= 1n
      power++
    }
  }
  const all = (mantissa & ((1n << 52n) - 1n)).toString(16).padStart(13, '0')
  const fraction =
    digits === null ? all.replace(/0+$/, '') : all.slice(0, digits).padEnd(digits, '0')
  const exponent = power + 52
  const size = String(Math.abs(exponent)).padStart(2, '0')
  return `0x1${fraction === '' ? '' : `.${fraction}`}p${exponent < 0 ? '-' : '+'}${size}`
}

function withExponent(mantissa: string, exponent: number): string {
  const size = String(Math.abs(exponent)).padStart(2, '0')
  return `${mantissa}e${exponent < 0 ? '-' : '+'}${size}`
}

/** The digits with the point where the exponent puts it. */
function placed(digits: string, exponent: number): string {
  if (exponent < 0) return `0.${'0'.repeat(-exponent - 1)}${digits}`
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, '0')
  const fraction = digits.slice(exponent + 1)
  return fraction === '' ? whole : `${whole}.${fraction}`
}

/** All digits, no exponent. */
function plain(value: number): string {
  const [mantissa = '', power = '0'] = value.toExponential().split('e')
  return placed(mantissa.replace('.', ''), Number(power))
}

function exponential(value: number, digits: number | null): string {
  if (digits === null) return value.toExponential()
  if (value === 0) return `0${digits > 0 ? '.' : ''}${'0'.repeat(digits)}e0`
  const exact = exactOf(value)
  const { text, isLonger } = round(exact.digits, digits + 1)
  const fraction = text.slice(1, digits + 1)
  return `${text[0]}${digits > 0 ? '.' : ''}${fraction}e${exact.exponent + (isLonger ? 1 : 0)}`
}

function fixed(value: number, digits: number): string {
  const exact = value === 0 ? { digits: '0', exponent: 0 } : exactOf(value)
  const kept = exact.exponent + 1 + digits
  if (kept < 0) return digits > 0 ? `0.${'0'.repeat(digits)}` : '0'
  // A zero before the first digit, so that there is a digit to round into.
  const { text } = round(`0${exact.digits}`, kept + 1)
  const padded = text.padStart(digits + 1, '0')
  const whole = padded.slice(0, padded.length - digits).replace(/^0+(?=\d)/, '')
  return digits > 0 ? `${whole}.${padded.slice(padded.length - digits)}` : whole
}

/** Every digit that the number has. */
function exactOf(value: number): { digits: string; exponent: number } {
  const { mantissa, power } = partsOf(value)
  if (power >= 0) return placedExactly((mantissa << BigInt(power)).toString(), 0)
  // Divided by 2^n is multiplied by 5^n, with the point n places further left.
  return placedExactly((mantissa * 5n ** BigInt(-power)).toString(), -power)
}

/** A float64 is a whole number times a power of two. */
function partsOf(value: number): { mantissa: bigint; power: number } {
  const bits = new DataView(new ArrayBuffer(8))
  bits.setFloat64(0, value)
  const word = bits.getBigUint64(0)
  const biased = Number((word >> 52n) & 0x7ffn)
  const fraction = word & 0xfffffffffffffn
  const mantissa = biased === 0 ? fraction : fraction | 0x10000000000000n
  return { mantissa, power: (biased === 0 ? 1 : biased) - 1075 }
}

function placedExactly(digits: string, places: number): { digits: string; exponent: number } {
  return { digits, exponent: digits.length - 1 - places }
}

/** The first `count` digits, padded with zeros; what is halfway goes to the even digit. */
function round(digits: string, count: number): { text: string; isLonger: boolean } {
  const kept = digits.slice(0, count).padEnd(count, '0')
  const rest = digits.slice(count)
  const first = rest.charAt(0)
  const isHalf = first === '5' && /^50*$/.test(rest)
  const isOdd = Number(kept.at(-1) ?? '0') % 2 === 1
  if (first < '5' || (isHalf && !isOdd)) return { text: kept, isLonger: false }
  const text = (BigInt(kept === '' ? '0' : kept) + 1n).toString().padStart(count, '0')
  return { text, isLonger: text.length > count }
}
