import type { Fact } from './fact.ts'
import { factCatalogue, STEP_FACTS } from './facts.ts'

// docs/facts.md, written from the catalogue: `npm run facts`. A test holds the page against this.

const HEAD = `# Facts

What conditions and templates may ask of a contact. Generated from the catalogue by \`npm run facts\`: edit
\`src/config/facts.ts\` and the files of \`src/config/facts/\`, not this page.

Beside them there is \`contact.NAME\` for each attribute that \`winback.yaml\` declares, and in conditions of a step
${STEP_FACTS.map((name) => `\`STEP.${name}\``).join(', ')} of earlier steps. A fact without a value is
unknown: a condition that needs it is unknown too, and a message that needs it is not sent.

How current they are:

- **event**: as of the newest event, in the very transaction that recorded it.
- **signals**: from the contact's history, which is computed anew for whoever had an event: within seconds while
  Winback runs, and before each run. What depends on the time (silence, signs, memberships) is calculated at the moment it
  is asked for, so that time passing makes nothing stale.
- **fit**: as signals, measured with the quintiles and the return model of the newest fit (\`signals.refit\`, Mondays at
  three by default).

| fact | type | unit | known | current | meaning |
|---|---|---|---|---|---|
`

/** The page as it should stand in docs/facts.md. */
export function factsPage(): string {
  const facts = factCatalogue({ currency: undefined, attributes: {} })
  return `${HEAD}${[...facts.values()].map((fact) => `${row(fact)}\n`).join('')}`
}

function row(fact: Fact): string {
  const unit = fact.type === 'money' ? 'the workspace’s currency' : fact.type === 'duration' ? '`7d`' : ''
  const place = fact.from === 'steps' ? 'steps' : 'everywhere'
  return `| \`${fact.path}\` | ${fact.type} | ${unit} | ${place} | ${fact.known ?? 'event'} | ${fact.description} |`
}
