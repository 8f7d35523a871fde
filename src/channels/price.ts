import type { Money } from './channel.ts'

/** A price as the settings have it, `0.0035`, in integer micros. */
export function parsePrice(price: string): Money {
  return Math.round(Number(price) * 1e6)
}
