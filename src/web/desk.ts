import type { Language, Phrase } from '../reports/words.ts'
import type { PlanFigures } from '../service/plan/figures.ts'

// What the pages may do with campaign files: they lie in the workspace of the process that serves, which gives this.

/** A plan as it is kept: figures, and whose message would show each tier. Plain JSON. */
export interface KeptPlan extends PlanFigures {
  /** ISO 8601; null where no run is to come. */
  readonly nextRun: string | null
  /** What would refuse a run or hold it back, when it was planned; null where nothing did. */
  readonly held: Phrase | null
  /** Contacts that would be taken in, by number: what they would get is made when it is looked at, and never kept. */
  readonly samples: readonly {
    readonly tier: string
    readonly step: string
    /** Of the step; null where it compares none. */
    readonly variant: string | null
    readonly contactId: number
    readonly outcome: Phrase
  }[]
}

export interface DraftPlan {
  readonly campaign: string
  /** All 64 digits. */
  readonly inputs: string
  /** False where exactly these files run already. */
  readonly changed: boolean
  readonly figures: KeptPlan
}

/** A campaign file as it lies on disk. */
export interface CampaignFile {
  readonly campaign: string
  readonly title: string
  readonly file: string
  readonly source: string
  readonly inputs: string
  readonly steps: readonly {
    readonly tier: string
    readonly step: string
    readonly channels: readonly string[]
    /** Names of the variants it compares. */
    readonly variants?: readonly string[]
  }[]
}

/** What is wrong with a file, in words, with file and line. */
export interface FileProblem {
  readonly where: string
  readonly message: string
  readonly severity: 'error' | 'warning'
}

/** What one contact would get of a step, from the files as they lie on disk. */
export interface StepPreview {
  readonly contact: string
  readonly segment: string
  /** Whether they would get it, and why. */
  readonly outcome: string
  readonly subject: string | null
  readonly text: string | null
  readonly html: string | null
}

export interface Desk {
  files(): Promise<{ readonly campaigns: readonly CampaignFile[]; readonly problems: readonly FileProblem[] }>
  /** @throws WinbackError for a campaign no file has */
  plan(campaign: string): Promise<DraftPlan>
  /**
   * @param plan over: the version that ran as it was made
   * @throws WinbackError `plan.changed` where a file is not what was planned, `plan.overtaken` where another version runs
   */
  apply(
    campaign: string,
    plan: { readonly inputs: string; readonly over: number | null },
    by: string,
  ): Promise<{ readonly version: number; readonly applied: boolean }>
  preview(
    campaign: string,
    step: string,
    wanted: {
      readonly contact: string | undefined
      /** Instead of the contact's own, of a step that compares variants. */
      readonly variant?: string | undefined
      readonly locale: string | undefined
      readonly language: Language
      /** Names, addresses and numbers as they are. */
      readonly unmasked: boolean
    },
  ): Promise<StepPreview>
}
