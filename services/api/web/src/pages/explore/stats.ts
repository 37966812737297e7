// What the statistics ask for.

/** Figures of the field that is measured. */
export const measures = ['avg', 'p50', 'p95', 'p99', 'max']

const s = 1000
/** Steps that people read well, ms. */
const steps = [0.1 * s, 0.5 * s, s, 2 * s, 5 * s, 10 * s, 15 * s, 30 * s]
const long = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440].map((m) => m * 60 * s)

/** The smallest of the steps that makes at most so many points of a range; ms. */
export function stepOf(range: number, points: number): number {
  const day = 1440 * 60 * s
  return [...steps, ...long].find((x) => range <= x * points) ?? Math.ceil(range / points / day) * day
}

const plain = new Intl.NumberFormat('en', { maximumSignificantDigits: 4 })
export const figure = (n: number) => plain.format(n)
