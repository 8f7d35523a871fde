import { z } from 'zod'
import type { Money } from './channel.ts'

/** A setting that is an amount of the workspace's currency, `"0.0035"`: a text, no finer than a micro; 0 by default. */
export const amount = z
  .string()
  .regex(/^\d+(\.\d{1,6})?$/, 'expected an amount in quotes, with a point, such as "0.0035"')
  .prefault('0')

/** A price as the settings have it, `0.0035`, in integer micros. */
export function parsePrice(price: string): Money {
  return Math.round(Number(price) * 1e6)
}
