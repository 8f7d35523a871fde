import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { openInflate } from '../../src/web/inflate.ts'

const packed = (text: string) => new Uint8Array(gzipSync(text)).buffer

test('bodies are inflated one after the other: of many at once, one takes memory', async () => {
  const inflate = openInflate(512_000)
  const done: string[] = []
  const settle = (name: string, text: string) =>
    inflate(packed(text)).then(
      (bytes) => done.push(`${name}: ${bytes.length}`),
      (error: { status: number }) => done.push(`${name}: ${error.status}`),
    )
  // The small ones would be through long before the large ones.
  await Promise.all([
    settle('bomb', 'x'.repeat(50_000_000)),
    settle('small', 'x'),
    settle('large', 'x'.repeat(512_000)),
    settle('next', 'xx'),
  ])
  expect(done).toEqual(['bomb: 413', 'small: 1', 'large: 512000', 'next: 2'])
})
