/** A line may end after a hyphen, and so after the minus of an amount: this keeps the two together. */
const TOGETHER = '\u2060'

/** The text with each minus held to the amount after it, `-¥0.03`, `-CN¥0.03` or `-KWD 0.03`: a phone's line is short. */
export function heldTogether(text: string): string {
  return text.replaceAll(/(?<![\p{L}\p{N}])-(?=[A-Z]{0,3}\p{Sc}|[A-Z]{3}\u00a0)/gu, `-${TOGETHER}`)
}
