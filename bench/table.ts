import type { Finding } from './measure.ts'

/** The findings as a table: absolute figures, the floor of the same run, their ratio, and what was asked. */
export function formatTable(findings: readonly Finding[]): string {
  const head = ['measurement', 'winback', 'floor', 'ratio', 'asked', '']
  const lines = findings.map((finding) => {
    const { target, unit, met } = finding
    const sign = target.kind === 'at least' ? '≥' : '≤'
    const absolute = target.absolute === undefined ? '' : `, ≥ ${target.absolute}${unit}`
    return [
      finding.name,
      figure(finding.subject, unit),
      figure(finding.floor, unit),
      finding.ratio.toFixed(2),
      `${sign} ${target.ratio}${absolute}`,
      met ? 'met' : 'NOT MET',
    ]
  })
  const widths = head.map((_, column) =>
    Math.max(...[head, ...lines].map((line) => (line[column] ?? '').length)),
  )
  return [head, ...lines]
    .map((line) => line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '))
    .map((line) => line.trimEnd())
    .join('\n')
}

function figure(value: number, unit: string): string {
  if (unit === 's') return `${value.toFixed(2)} s`
  return unit === '/s' ? `${Math.round(value)}/s` : `${Math.round(value)} ${unit}`
}
