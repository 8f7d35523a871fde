import { LEAVING_REASONS } from '../../config/reasons.ts'
import type { Language } from '../../reports/words.ts'

/** What a list of the reasons people have for leaving offers: `none` first, to say nothing. */
export function ReasonOptions({
  language,
  none,
  chosen,
}: {
  language: Language
  none: string
  chosen?: string | undefined
}) {
  return (
    <>
      <option value="">{none}</option>
      {Object.entries(LEAVING_REASONS).map(([code, words]) => (
        <option value={code} selected={code === chosen}>
          {words[language]}
        </option>
      ))}
    </>
  )
}
