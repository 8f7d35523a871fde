import { createPublicKey, type KeyObject } from 'node:crypto'

/** @throws Error where the key is no public key of an elliptic curve in base64 DER, as SendGrid's page shows it */
export function sendgridKey(text: string): KeyObject {
  const der = Buffer.from(text.replace(/-----[^-]+-----|\s/g, ''), 'base64')
  const key = createPublicKey({ key: der, format: 'der', type: 'spki' })
  if (key.asymmetricKeyType !== 'ec') throw new Error(`a key of ${key.asymmetricKeyType}, not ec`)
  return key
}
