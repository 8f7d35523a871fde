import { sql } from 'drizzle-orm'
import { compileCampaign } from '../../../config/compile.ts'
import type { CompiledCampaign, CompiledStep } from '../../../config/compiled.ts'
import { templatesHash } from '../../../config/inputs.ts'
import { nearest } from '../../../config/nearest-name.ts'
import { currentVersion } from '../../../config/versions.ts'
import { rows, type Session } from '../../../database/connect.ts'
import { WinbackError } from '../../../errors.ts'
import { openRuntime, type Runtime } from '../../../service/runtime.ts'
import { openCampaigns, openTemplates, type Templates } from '../../campaigns.ts'
import type { DatabaseContext } from '../../workspace.ts'

/** A step with all that runs it. */
export interface Opened {
  readonly runtime: Runtime
  readonly campaign: CompiledCampaign
  readonly step: CompiledStep
}

/** Opens a step as it is on disk, with the templates on disk. */
export async function withStep<T>(
  context: DatabaseContext,
  wanted: { campaign: string; step: string; variant?: string | undefined },
  work: (opened: Opened) => Promise<T>,
): Promise<T> {
  const templates = await openTemplates(context)
  const [loaded] = await openCampaigns(context, templates, [wanted.campaign])
  if (!loaded) throw new WinbackError('usage.campaign', `no campaign is named "${wanted.campaign}"`)
  const { definition } = loaded
  const ids = [...definition.tiers.flatMap((tier) => tier.steps), ...definition.on_return].map(({ id }) => id)
  const workspace = context.loaded.definition
  const current = await currentVersion(context.database, definition.campaign)
  const campaign = compileCampaign({
    definition,
    version: 0,
    // The rollout is drawn with it.
    salt: current?.salt ?? '',
    stepIds: new Map(ids.map((id, index) => [id, -1 - index])),
    workspace,
    templates: templates.set,
    templateSet: templatesHash(templates.files),
  })
  const step = [...campaign.tiers.flatMap((tier) => tier.steps), ...campaign.onReturn].find(
    ({ id }) => id === wanted.step,
  )
  if (!step) {
    const near = nearest(wanted.step, ids)
    throw new WinbackError('usage.step', `${definition.campaign} has no step "${wanted.step}"`, {
      remedy: near ? `Did you mean ${near}?` : `There are ${ids.join(', ')}.`,
    })
  }
  checkVariant(step, wanted.variant)
  const runtime = await openRuntime({ database: context.database, workspace, clock: context.clock })
  try {
    return await work({ runtime: fromDisk(runtime, templates), campaign, step })
  } finally {
    await runtime.close()
  }
}

/** @throws WinbackError `usage.variant` for a variant the step does not have */
function checkVariant({ id, variants = [] }: CompiledStep, wanted: string | undefined): void {
  const names = variants.map(({ name }) => name)
  if (wanted === undefined || names.includes(wanted)) return
  const near = nearest(wanted, names)
  const list = names.length === 0 ? 'It compares none.' : `There are ${names.join(', ')}.`
  throw new WinbackError('usage.variant', `step ${id} has no variant "${wanted}"`, {
    remedy: near ? `Did you mean ${near}?` : list,
  })
}

function fromDisk(runtime: Runtime, templates: Templates): Runtime {
  return { ...runtime, worker: { ...runtime.worker, templates: async () => templates.set } }
}

/** The newest contacts among which one with an e-mail address is looked for: of all there are, that may read everybody. */
const LOOKED_AT = 10_000

/** The contact that lends its data where none is named: the newest, one with an e-mail address before others. */
export async function anyContact(session: Session): Promise<number> {
  const [row] = await rows<{ contactId: number }>(
    session,
    sql`SELECT contact_id AS "contactId"
      FROM (SELECT contact_id, email FROM contacts ORDER BY contact_id DESC LIMIT ${LOOKED_AT}) newest
      ORDER BY (email IS NOT NULL) DESC, contact_id DESC LIMIT 1`,
  )
  if (row) return row.contactId
  throw new WinbackError('contact.none', 'there are no contacts yet', {
    remedy: 'Run `winback import contacts FILE` first.',
  })
}
