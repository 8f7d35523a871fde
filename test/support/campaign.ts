/**
 * The file of a campaign of one tier, for whoever has been silent for three days.
 * @param name its title, too, with a capital
 * @param steps as the file has them, such as `{ id: remind, channel: log }`
 * @param but what is otherwise than in most tests; `more` are further lines of the file
 */
export function oneTierCampaign(
  name: string,
  steps: readonly string[],
  but: { schedule?: string; window?: string; holdout?: string; tier?: string; more?: string } = {},
): string {
  const { schedule = '0 9 * * *', window = '30d', holdout = '0%', tier = 'only', more = '' } = but
  return `
version: 1
campaign: ${name}
title: ${name.charAt(0).toUpperCase()}${name.slice(1)}
schedule: "${schedule}"
goals: { recall: { event: session } }
window: ${window}
holdout: ${holdout}
${more}
tiers:
  - name: ${tier}
    inactive: 3d..
    steps:
${steps.map((step) => `      - ${step}\n`).join('')}`
}
