// Numbers for people. Tables align digits, so each kind has one form.

const plain = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 })

/** 12,345 */
export const count = (n: number) => plain.format(n)

/** 12.3K */
export const compact = (n: number) => (Math.abs(n) < 1000 ? plain.format(n) : short.format(n))

/** 3.2 %; small ones keep two digits, so that 0.04 % is not 0 % */
export function percent(n: number): string {
  if (n === 0) return '0 %'
  return `${n < 0.1 ? n.toFixed(2) : n < 10 ? n.toFixed(1) : n.toFixed(0)} %`
}

/** 12 ms, 1.2 s */
export function ms(n: number): string {
  if (n < 10) return `${n.toFixed(1)} ms`
  if (n < 1000) return `${n.toFixed(0)} ms`
  return `${(n / 1000).toFixed(n < 10000 ? 1 : 0)} s`
}

/** 1.2 MB (decimal, as disks are sold) */
export function bytes(n: number): string {
  for (const [unit, size] of [
    ['TB', 1e12],
    ['GB', 1e9],
    ['MB', 1e6],
    ['kB', 1e3],
  ] as const)
    if (Math.abs(n) >= size) return `${(n / size).toFixed(n / size < 10 ? 1 : 0)} ${unit}`
  return `${plain.format(n)} B`
}
