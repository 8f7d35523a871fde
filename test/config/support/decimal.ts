// Exact decimals with PostgreSQL's rules for numeric, so that a condition means the same when it is evaluated here (oracle.ts).

/** coefficient × 10^-scale; a negative scale is never kept. */
export class Decimal {
  readonly coefficient: bigint
  readonly scale: number

  constructor(coefficient: bigint, scale: number) {
    this.coefficient = coefficient
    this.scale = scale
  }
}

/** Parses `12`, `-0.5`, `1e+21`; undefined for anything else. */
export function parseDecimal(text: string): Decimal | undefined {
  const match = /^(-?)(\d+)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/.exec(text)
  if (!match) return undefined
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = match
  const digits = BigInt(`${sign}${whole}${fraction}`)
  const scale = fraction.length - Number(exponent)
  return scale >= 0 ? new Decimal(digits, scale) : new Decimal(digits * 10n ** BigInt(-scale), 0)
}

export function add(a: Decimal, b: Decimal): Decimal {
  const scale = Math.max(a.scale, b.scale)
  return new Decimal(rescale(a, scale) + rescale(b, scale), scale)
}

export function negate(a: Decimal): Decimal {
  return new Decimal(-a.coefficient, a.scale)
}

export function multiply(a: Decimal, b: Decimal): Decimal {
  return new Decimal(a.coefficient * b.coefficient, a.scale + b.scale)
}

/**
 * Rounded half away from zero to as many digits as PostgreSQL keeps: sixteen significant ones, counted in groups of four,
 * and no fewer than either side has. @throws RangeError on a division by zero
 */
export function divide(a: Decimal, b: Decimal): Decimal {
  if (b.coefficient === 0n) throw new RangeError('division by zero')
  const [left, right] = [leadingGroup(a), leadingGroup(b)]
  const weight = left.weight - right.weight - (left.group <= right.group ? 1 : 0)
  const scale = Math.min(Math.max(16 - weight * 4, a.scale, b.scale, 0), 1000)
  // One digit more than is kept decides the rounding.
  const shift = scale + 1 + b.scale - a.scale
  const quotient = (a.coefficient * 10n ** BigInt(shift)) / b.coefficient
  const half = quotient < 0n ? -5n : 5n
  return new Decimal((quotient + half) / 10n, scale)
}

/** The remainder, with the sign of `a`. @throws RangeError on a division by zero */
export function remainder(a: Decimal, b: Decimal): Decimal {
  if (b.coefficient === 0n) throw new RangeError('division by zero')
  const scale = Math.max(a.scale, b.scale)
  return new Decimal(rescale(a, scale) % rescale(b, scale), scale)
}

/** Below, at or above zero as `a` is below, at or above `b`. */
export function compare(a: Decimal, b: Decimal): number {
  const scale = Math.max(a.scale, b.scale)
  const [left, right] = [rescale(a, scale), rescale(b, scale)]
  return left < right ? -1 : left > right ? 1 : 0
}

function rescale(a: Decimal, scale: number): bigint {
  return a.coefficient * 10n ** BigInt(scale - a.scale)
}

/** The first digit in base 10,000 and its power, as PostgreSQL stores numerics. */
function leadingGroup(a: Decimal): { group: number; weight: number } {
  const digits = String(a.coefficient < 0n ? -a.coefficient : a.coefficient)
  if (digits === '0') return { group: 0, weight: 0 }
  const exponent = digits.length - 1 - a.scale
  const weight = Math.floor(exponent / 4)
  const length = exponent - weight * 4 + 1
  return { group: Number(digits.slice(0, length).padEnd(length, '0')), weight }
}
