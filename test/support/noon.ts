/** A zone where it is about noon: no day ends while a test looks that goes by the real clock. */
export function zoneAtNoon(): { zone: string; today: string } {
  const ahead = 12 - new Date().getUTCHours()
  // Etc/GMT-3 is three hours ahead of UTC.
  const zone = ahead === 0 ? 'UTC' : `Etc/GMT${ahead > 0 ? '-' : '+'}${Math.abs(ahead)}`
  return { zone, today: new Date(Date.now() + ahead * 3_600_000).toISOString().slice(0, 10) }
}
