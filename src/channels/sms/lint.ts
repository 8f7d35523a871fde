import type { WrittenTemplate } from '../channel.ts'
import { countSegments } from './segments.ts'
import type { SmsSettings } from './settings.ts'

const MUSTACHE = /\{\{\{?[\s\S]*?\}\}\}?/g
const LINK = /https?:\/\/|www\.|\b[a-z0-9-]+\.(com|cn|net|io|me|cc|co|top|link)\b/i
const OPT_OUT_ZH = '拒收请回复R'

/**
 * What a provider would refuse of a text, before it is asked: each a sentence.
 * @param workspace the workspace's name, where a template says {{workspace.name}}
 */
export function lintSms(settings: SmsSettings, template: WrittenTemplate, workspace: string): string[] {
  const text = template.text.replace(/\{\{ *workspace\.name *\}\}/g, workspace).trim()
  return settings.provider === 'aliyun'
    ? lintAliyun(settings, { ...template, text })
    : lintTwilio({ ...template, text })
}

/** Aliyun's rules for marketing templates. https://help.aliyun.com/zh/sms/user-guide/sms-template-specifications */
function lintAliyun(
  settings: Extract<SmsSettings, { provider: 'aliyun' }>,
  { name, locale, text }: WrittenTemplate,
): string[] {
  const problems: string[] = []
  const signature = `【${settings.sign_name}】`
  if (!text.startsWith(signature)) problems.push(`must begin with the signature ${signature}`)
  if ((text.match(/【/g) ?? []).length > 1) problems.push('must have 【】 around the signature alone')
  if (!text.endsWith(OPT_OUT_ZH)) problems.push(`must end with ${OPT_OUT_ZH}`)
  if (!settings.variables && text.includes('{{')) {
    problems.push(
      'must not have variables: a marketing template is one text for all (`variables: true` where yours may)',
    )
  }
  if (!settings.links && LINK.test(text.replace(MUSTACHE, ''))) {
    problems.push('must not have links (`links: true` where yours was approved with them)')
  }
  const length = [...text.replace(MUSTACHE, '')].length
  if (length > 500) problems.push(`is ${length} characters long; Aliyun takes 500, signature included`)
  if (settings.templates[`${name}.${locale}`] === undefined && settings.templates[name] === undefined) {
    problems.push(`has no template code: add ${name} to channels.sms.templates`)
  }
  return problems
}

function lintTwilio({ text, locale }: WrittenTemplate): string[] {
  const problems: string[] = []
  const fixed = text.replace(MUSTACHE, '')
  const { segments } = countSegments(fixed)
  if (segments > 10) problems.push(`is ${segments} segments long; Twilio takes ten`)
  const says = locale.startsWith('zh') ? /退订|回复 ?(R|TD|T)/i : /\b(STOP|QUIT|END|CANCEL|UNSUBSCRIBE)\b/
  if (!says.test(fixed)) {
    problems.push(
      `does not say how to opt out: ${locale.startsWith('zh') ? OPT_OUT_ZH : 'Reply STOP to opt out'}`,
    )
  }
  return problems
}
