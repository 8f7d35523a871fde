import { applyCampaign } from '../config/apply.ts'
import { inputsHash } from '../config/inputs.ts'
import type { LoadedCampaign } from '../config/load.ts'
import type { Desk, DraftPlan, FileProblem } from '../web/desk.ts'
import { openCampaigns, openTemplates, readCampaigns, type Templates } from './campaigns.ts'
import { planCampaign } from './plan/plan.ts'
import { formatPlan } from './plan/text.ts'
import { previewOf } from './preview.ts'
import type { DatabaseContext } from './workspace.ts'

// The verbs plan, apply and preview as the pages use them: files are read anew each time, as each verb does.

/** Columns of a plan's text on a page. */
const WIDTH = 96

export function openDesk(context: DatabaseContext): Desk {
  // A page has no terminal to draw a progress bar on.
  const quiet: DatabaseContext = {
    ...context,
    output: { ...context.output, progress: () => ({ update: () => {}, finish: () => {} }) },
  }
  const hashOf = (loaded: LoadedCampaign, templates: Templates) =>
    inputsHash({ campaign: loaded.source, workspace: context.loaded.source, templates: templates.files })
  const open = async (campaign: string) => {
    const templates = await openTemplates(quiet)
    const [loaded] = await openCampaigns(quiet, templates, [campaign])
    if (!loaded) throw new Error(`${campaign} was asked for and not opened`)
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
          steps: loaded.definition.tiers.flatMap((tier) =>
            tier.steps.map((step) => ({ tier: tier.name, step: step.id, channels: step.channel })),
          ),
        })),
        problems: problems.map(
          ({ location, path, message, severity }): FileProblem => ({
            where: `${location.file}${location.line === undefined ? '' : `:${location.line}`}${path === '' ? '' : ` ${path}`}`,
            message,
            severity,
          }),
        ),
      }
    },
    plan: async (campaign): Promise<DraftPlan> => {
      const { templates, loaded } = await open(campaign)
      const plan = await planCampaign(quiet, loaded, templates, context.clock.now())
      const shown = (locale: string) =>
        formatPlan({ ...plan, samples: [] }, context.loaded.definition, {
          locale,
          color: false,
          width: WIDTH,
        })
      return {
        campaign,
        inputs: hashOf(loaded, templates),
        changed: plan.version.changed,
        shown: { en: shown('en'), 'zh-CN': shown('zh-CN') },
      }
    },
    apply: async (campaign, inputs, by) => {
      const { templates, loaded } = await open(campaign)
      const { version, outcome } = await applyCampaign(context.database, {
        loaded,
        templateFiles: templates.files,
        workspace: context.loaded,
        clock: context.clock,
        by,
        expectedPlan: inputs,
      })
      return { version, applied: outcome === 'applied' }
    },
    preview: async (campaign, step, wanted) => await previewOf(quiet, { campaign, step }, wanted),
  }
}
