import type { z } from 'zod'
import type { RefusedWebhook, Webhook } from '../channel.ts'
import { parseJson } from '../http.ts'
import { refuseSignature } from './signature.ts'

/**
 * The body of a request that is signed as our own are, and of the shape that was agreed. What fails is refused in words
 * the sender can act on: 401 for the signature, 400 for the body, with the first place that does not fit.
 * @param shape how the refusal names the body, such as `{ events: […] }`
 */
export function readSigned<Body>(
  webhook: Webhook,
  key: { readonly key_id: string; readonly secret: string },
  schema: z.ZodType<Body>,
  shape: string,
): { readonly outcome: 'read'; readonly data: Body } | RefusedWebhook {
  const refusal = refuseSignature(webhook, key)
  if (refusal !== undefined) return { outcome: 'refused', status: 401, reason: refusal }
  const read = schema.safeParse(parseJson(Buffer.from(webhook.body).toString('utf8')))
  if (read.success) return { outcome: 'read', data: read.data }
  const [issue] = read.error.issues
  const reason = `the body is not ${shape}: ${issue?.path.join('.') || 'body'}: ${issue?.message ?? ''}`
  return { outcome: 'refused', status: 400, reason }
}
