import { Coded } from './parts.tsx'

// A form that cannot be taken is shown again as it was filled in, with what is wrong at its field.

/** What of a form cannot be taken. */
export interface RefusedForm<Form extends string = string> {
  /** Which of the page's forms. */
  readonly form: Form
  /** The name of what is wrong in it; of none where it is the form as a whole. */
  readonly field: string
  readonly words: string
}

/** What is wrong, at the head of its form. */
export function Refusal({ refused }: { refused: RefusedForm | undefined }) {
  if (refused === undefined) return null
  return (
    <p class="note bad" role="alert" id={`wrong-${refused.form}`}>
      <Coded text={refused.words} />
    </p>
  )
}

/** A field that is wrong, or each of a group of boxes, says so to a screen reader, too, and by what. */
export function marked(refused: RefusedForm | undefined, field: string) {
  if (refused?.field !== field) return {}
  return { 'aria-invalid': 'true', 'aria-describedby': `wrong-${refused.form}` } as const
}

/** Marked, and gone into as the page opens: further down, it would not be seen. */
export function entered(refused: RefusedForm | undefined, field: string) {
  return refused?.field === field ? ({ ...marked(refused, field), autofocus: true } as const) : {}
}

/** What was typed into the form that is shown again. */
export function kept(refused: RefusedForm | undefined, field: string, form: URLSearchParams) {
  return refused === undefined ? {} : { value: form.get(field) ?? '', ...entered(refused, field) }
}

/** Whether a box was ticked, or a choice taken, in the form that is shown again. */
export function ticked(
  refused: RefusedForm | undefined,
  field: string,
  value: string,
  form: URLSearchParams,
): boolean {
  return refused !== undefined && form.getAll(field).includes(value)
}
