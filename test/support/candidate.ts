import type { Candidate } from '../../src/touchpoints/gather.ts'
import { START } from './pipeline.ts'

/** A touchpoint nothing speaks against, planned for {@link START}: for tests of what is decided without a database. */
export function plainCandidate(also: Partial<Candidate> = {}): Candidate {
  return {
    contactId: 1,
    touchpointId: 1,
    episodeId: 1,
    attempt: 0,
    doubted: false,
    doubtedOn: null,
    plannedFor: START,
    personId: 1,
    externalId: 'u1',
    email: 'u1@example.com',
    phone: '+8613800000000',
    locale: 'en',
    timezone: 'UTC',
    seed: false,
    segment: 'everyone',
    variant: null,
    silencedBy: null,
    over: false,
    active: false,
    moved: false,
    superseded: false,
    suppressed: { email: null, phone: null },
    consent: {},
    choice: null,
    condition: true,
    facts: {},
    stale: [],
    effort: null,
    effortLeft: null,
    ...also,
  }
}
