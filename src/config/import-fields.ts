// What a mapping can name, of files and of queries alike.

const CONTACT_FIELDS = ['external_id', 'email', 'phone', 'locale', 'timezone', 'signed_up_at'] as const

export const ACTIVITY_FIELDS = [
  'external_id',
  'type',
  'occurred_at',
  'value',
  'message_id',
  'properties',
  'properties.*',
] as const

/** The columns of a contact and the attributes of the workspace. */
export function contactFields(attributes: Readonly<Record<string, unknown>>): string[] {
  return [...CONTACT_FIELDS, ...Object.keys(attributes).map((name) => `attributes.${name}`)]
}

/**
 * The field a mapping means by a name: `plan` is short for `attributes.plan`, and `properties.*` is any property.
 * Undefined where there is no such field.
 */
export function fieldCalled(name: string, fields: readonly string[]): string | undefined {
  if (fields.includes(name)) return name
  const open = fields.find((field) => field.endsWith('.*') && name.startsWith(field.slice(0, -1)))
  if (open !== undefined && name.length >= open.length) return name
  return fields.includes(`attributes.${name}`) ? `attributes.${name}` : undefined
}
