import { createHmac } from 'node:crypto'

/** RFC 3986 with Aliyun's reading of it: everything but letters, digits and `-_.~` as its bytes. */
function percentEncode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

/**
 * Aliyun's RPC signature: HMAC-SHA1 over method, path and the sorted parameters, keyed by the secret and `&`.
 * https://help.aliyun.com/document_detail/101343.html (request signatures of the SMS API)
 * @param parameters all of them but Signature
 */
export function signAliyun(
  method: 'GET' | 'POST',
  parameters: Readonly<Record<string, string>>,
  secret: string,
): string {
  const canonical = Object.keys(parameters)
    .sort()
    .map((name) => `${percentEncode(name)}=${percentEncode(parameters[name] ?? '')}`)
    .join('&')
  const text = `${method}&${percentEncode('/')}&${percentEncode(canonical)}`
  return createHmac('sha1', `${secret}&`).update(text).digest('base64')
}
