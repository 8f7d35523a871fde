import { basename } from 'node:path'
import { applyCampaign } from '../../config/apply.ts'
import { ON_RETURN } from '../../config/campaign.ts'
import { inputsHash, planHash } from '../../config/inputs.ts'
import { isEdited, type LoadedCampaign } from '../../config/load.ts'
import type { Workspace } from '../../config/workspace.ts'
import { WinbackError } from '../../errors.ts'
import { type Phrase, type Speech, speechOf } from '../../reports/words.ts'
import { styleOfWorkspace } from '../../service/reporting.ts'
import type { Desk, DraftPlan, FileProblem, KeptPlan } from '../../web/desk.ts'
import { assertTexts, openCampaigns, openTemplates, readCampaigns, type Templates } from '../campaigns.ts'
import { foreseenText } from '../foreseen.ts'
import { outcomeText } from '../step-outcome.ts'
import type { DatabaseContext } from '../workspace.ts'
import { type CampaignPlan, planCampaign } from './plan/plan.ts'
import { previewOf } from './preview.ts'

// The verbs plan, apply and preview as the pages use them: campaigns and templates are read anew each time, as each verb
// does. What winback.yaml says, the process goes by since it began: once the file says something else, nothing is planned.

export function openDesk(context: DatabaseContext): Desk {
  // A page has no terminal to draw a progress bar on.
  const quiet: DatabaseContext = {
    ...context,
    output: { ...context.output, progress: () => ({ update: () => {}, finish: () => {} }) },
  }
  const hashOf = (loaded: LoadedCampaign, templates: Templates) =>
    inputsHash({ campaign: loaded.source, workspace: context.loaded.source, templates: templates.files })
  const open = async (campaign: string) => {
    await assertCurrent(context)
    const templates = await openTemplates(quiet)
    const [loaded] = await openCampaigns(quiet, templates, [campaign])
    if (!loaded) throw new Error(`${campaign} was asked for and not opened`)
    assertTexts([loaded], templates)
    return { templates, loaded }
  }
  return {
    files: async () => {
      const templates = await openTemplates(quiet)
      const { campaigns, problems } = await readCampaigns(quiet, templates)
      return {
        campaigns: campaigns.map((loaded) => ({
          campaign: loaded.definition.campaign,
          title: loaded.definition.title,
          file: loaded.file,
          source: loaded.source,
          inputs: hashOf(loaded, templates),
          steps: [
            ...loaded.definition.tiers,
            { name: ON_RETURN, steps: loaded.definition.on_return },
          ].flatMap((tier) =>
            tier.steps.map((step) => ({
              tier: tier.name,
              step: step.id,
              channels: step.channel,
              variants: Object.keys(step.variants ?? {}),
            })),
          ),
        })),
        problems: [
          ...((await isEdited(context.loaded)) ? [editedProblem(context)] : []),
          ...[...errorsOf(templates), ...problems].map(
            ({ location, path, message, severity }): FileProblem => ({
              where: `${location.file}${location.line === undefined ? '' : `:${location.line}`}${path === '' ? '' : ` ${path}`}`,
              message,
              severity,
            }),
          ),
        ],
      }
    },
    plan: async (campaign): Promise<DraftPlan> => {
      const { templates, loaded } = await open(campaign)
      const plan = await planCampaign(quiet, loaded, templates, context.clock.now())
      return {
        campaign,
        inputs: hashOf(loaded, templates),
        changed: plan.version.changed,
        figures: keep(plan, context.loaded.definition),
      }
    },
    apply: async (campaign, { inputs, over }, by) => {
      const { templates, loaded } = await open(campaign)
      const { version, outcome } = await applyCampaign(context.database, {
        loaded,
        templateFiles: templates.files,
        workspace: context.loaded,
        clock: context.clock,
        by,
        expectedPlan: planHash(inputs, over),
      })
      return { version, applied: outcome === 'applied' }
    },
    preview: async (campaign, step, wanted) =>
      await previewOf(quiet, { campaign, step, variant: wanted.variant }, wanted),
  }
}

/** What `plan` refuses where a step sends it; of languages that fall back, `validate` tells. */
const errorsOf = ({ set }: Templates) => set.problems().filter(({ severity }) => severity === 'error')

const EDITED = 'it was edited since this process began'
const RESTART = 'Restart `winback start` or `winback web`, then plan again.'

function editedProblem({ loaded }: DatabaseContext): FileProblem {
  return { where: basename(loaded.file), message: `${EDITED}. ${RESTART}`, severity: 'warning' }
}

/**
 * A plan by what winback.yaml said when the process began would pin what nobody wants any more.
 * @throws WinbackError `workspace.edited`
 */
async function assertCurrent({ loaded }: DatabaseContext): Promise<void> {
  if (!(await isEdited(loaded))) return
  throw new WinbackError('workspace.edited', `${basename(loaded.file)}: ${EDITED}`, { remedy: RESTART })
}

/** What a plan on the web is made of; names and texts of persons are not kept. */
function keep(plan: CampaignPlan, workspace: Workspace): KeptPlan {
  const { campaign, foreseen, nextRun, samples } = plan
  const style = styleOfWorkspace(workspace)
  const both = (words: (speech: Speech) => string): Phrase => ({
    en: words(speechOf({ ...style, locale: 'en' })),
    'zh-CN': words(speechOf({ ...style, locale: 'zh-CN' })),
  })
  return {
    version: plan.version,
    timezone: plan.timezone,
    entry: plan.entry,
    ...(plan.condition === undefined ? {} : { condition: plan.condition }),
    shortages: plan.shortages,
    audience: plan.audience,
    variants: plan.variants,
    between: plan.between,
    heldOut: plan.heldOut,
    spend: plan.spend,
    liability: plan.liability,
    ...(plan.released === undefined ? {} : { released: plan.released }),
    natural: plan.natural,
    ...(plan.goal === undefined ? {} : { goal: plan.goal }),
    detectable: plan.detectable,
    curve: plan.curve,
    pool: plan.pool,
    showable: plan.showable,
    ...(plan.withoutModel ? { withoutModel: plan.withoutModel } : {}),
    nextRun: nextRun?.toISOString() ?? null,
    held: foreseen.state === 'runs' ? null : both((speech) => foreseenText(foreseen, campaign, speech) ?? ''),
    samples: samples.map(({ tier, step, variant, contactId, outcome }) => ({
      tier,
      step,
      variant,
      contactId,
      outcome: both((speech) => outcomeText(outcome, speech)),
    })),
  }
}
