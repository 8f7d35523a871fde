// Yes and no as files have them: a spreadsheet writes them in the language of whoever exports, a database by one letter.

const YES = ['true', 't', 'yes', 'y', '1', '是', 'wahr', 'ja', 'j', 'oui', 'vrai', 'sí', 'si', 'sì', 'sim']
const NO = ['false', 'f', 'no', 'n', '0', '否', 'falsch', 'nein', 'non', 'faux', 'não', 'nao']
const WORDS: ReadonlyMap<string, boolean> = new Map([
  ...YES.map((word) => [word, true] as const),
  ...NO.map((word) => [word, false] as const),
])

/** What a word says, whatever its capitals; undefined where it says neither. */
export function yesOrNo(text: string): boolean | undefined {
  return WORDS.get(text.trim().toLowerCase())
}
