import { countsOtherwise } from '../contacts/activity-sums.ts'
import { sayIn } from './locale.ts'
import type { DatabaseContext } from './workspace.ts'

/** Says where what somebody only looks at is summed up by other types than winback.yaml counts by now: a run sums it anew. */
export async function warnOfCountedTypes({ database, loaded, output }: DatabaseContext): Promise<void> {
  if (!(await countsOtherwise(database, loaded.definition))) return
  output.warn(
    sayIn(output)(
      'winback.yaml counts other types as activity or orders than what people did is summed up by. These figures are by the old ones; the next run, or `winback start`, sums everything up anew.',
      'winback.yaml 中计入活跃或订单的事件类型已更改，而现有的活跃数据仍按旧类型汇总。以下数字按旧类型计算；下次运行或 `winback start` 会全部重新汇总。',
    ),
  )
}
