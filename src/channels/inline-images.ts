import type { InlineImage } from './channel.ts'

/** A message's HTML as a page of its own: its pictures inside it, for a browser that has no mail around them. */
export async function embedImages(html: string, images: readonly InlineImage[]): Promise<string> {
  let page = html
  for (const { cid, draw } of images) {
    const picture = await draw()
    page = page.replaceAll(`src="cid:${cid}"`, `src="data:image/png;base64,${picture.toString('base64')}"`)
  }
  return page
}

/** The pictures of what a channel rendered, where it has any: content is the channel's own, and opaque. */
export function imagesOf(content: unknown): readonly InlineImage[] {
  if (typeof content !== 'object' || content === null || !('images' in content)) return []
  return Array.isArray(content.images) ? content.images.filter(isImage) : []
}

function isImage(value: unknown): value is InlineImage {
  if (typeof value !== 'object' || value === null) return false
  const { cid, draw } = value as Partial<InlineImage>
  return typeof cid === 'string' && typeof draw === 'function'
}
