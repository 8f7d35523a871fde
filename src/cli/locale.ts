import type { Command } from 'commander'
import { WinbackError } from '../errors.ts'
import { type Language, languageOf, type Speech, speechOf } from '../reports/words.ts'
import type { DatabaseContext } from './workspace.ts'

/** What a verb is given that speaks both languages. */
export interface Spoken {
  readonly locale?: string
}

/** Chooses between a text in English and the same in Chinese. */
export type Say = (en: string, zh: string) => string

export function sayIn({ language }: Pick<Speech, 'language'>): Say {
  return (en, zh) => (language === 'en' ? en : zh)
}

/** Adds `--locale`. */
export function spoken(command: Command): Command {
  return command.option('--locale <locale>', 'en or zh-CN, or a variant (default: this machine’s)')
}

/** In the language asked for, times in the workspace's zone. @throws WinbackError `usage.locale` */
export function speechIn({ loaded }: Pick<DatabaseContext, 'loaded'>, { locale }: Spoken): Speech {
  return speechOf({ locale: chooseLocale(locale), timezone: loaded.definition.timezone })
}

/**
 * The locale text is written in: the one asked for, or this machine's.
 * @throws WinbackError `usage.locale` for one whose language Winback does not speak
 */
export function chooseLocale(wanted: string | undefined): string {
  if (wanted === undefined) return Intl.DateTimeFormat().resolvedOptions().locale
  const language = languageTag(wanted)
  if (language === 'en' || language === 'zh') return wanted
  throw new WinbackError('usage.locale', `--locale "${wanted}": there are English and Chinese`, {
    remedy: 'Write --locale en or --locale zh-CN (or a variant, such as en-GB).',
  })
}

/** The language of what goes wrong, also before any option is read: as asked for, where that can be followed. */
export function languageAsked(args: readonly string[]): Language {
  const at = args.indexOf('--locale')
  const wanted = at === -1 ? args.find((arg) => arg.startsWith('--locale='))?.slice(9) : args[at + 1]
  const machine = Intl.DateTimeFormat().resolvedOptions().locale
  return languageOf(wanted !== undefined && languageTag(wanted) !== undefined ? wanted : machine)
}

function languageTag(text: string): string | undefined {
  try {
    return new Intl.Locale(text).language
  } catch {
    return undefined
  }
}
