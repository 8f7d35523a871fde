// What each role may do. A page or form names the ability it needs; nothing asks for a role by name.

export const ROLES = ['viewer', 'agent', 'operator', 'admin'] as const
export type Role = (typeof ROLES)[number]

/** The least role that has each ability; every role can do what those before it can. */
const ABILITIES = {
  /** Figures, campaigns, stories of contacts with their addresses masked. */
  look: 'viewer',
  /** Addresses as they are. */
  see_addresses: 'agent',
  /** Record what a contact asked for: on the telephone, say. */
  change_preferences: 'agent',
  /** Take calls and say what became of them. */
  make_calls: 'agent',
  /** Plan, approve, pause, resume, stop. */
  operate: 'operator',
  /** Export and erase a person. */
  privacy: 'operator',
  /** Who did what. */
  see_audit: 'operator',
  /** Users, API keys, signing keys. */
  administer: 'admin',
} as const satisfies Record<string, Role>

export type Ability = keyof typeof ABILITIES

/** Whether somebody of this role has the ability. */
export function may(role: Role, ability: Ability): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(ABILITIES[ability])
}

export function isRole(text: string): text is Role {
  return ROLES.some((role) => role === text)
}
