import { expect, test } from 'vitest'
import { changesSince } from '../../../src/cli/verbs/plan/changes.ts'
import { inputsHash } from '../../../src/config/inputs.ts'

const WORKSPACE = 'version: 1\nname: Lantern Tea\n'
const templates = { 'a.en.hbs': 'A', 'b.en.hbs': 'B' }
const source = 'campaign: graded\nholdout: 10%\nwindow: 30d\n'
const running = {
  source,
  templates,
  workspace_source: WORKSPACE,
  inputs: inputsHash({ campaign: source, workspace: WORKSPACE, templates }),
}

test('what an apply would change is named by line, by template and by workspace', () => {
  const files = {
    campaign: source.replace('10%', '20%'),
    workspace: WORKSPACE,
    templates: { 'b.en.hbs': 'B!', 'c.en.hbs': 'C' },
  }
  expect(changesSince(running, files)).toEqual({
    campaign: [
      { kind: 'same', text: 'campaign: graded' },
      { kind: 'del', text: 'holdout: 10%' },
      { kind: 'add', text: 'holdout: 20%' },
      { kind: 'same', text: 'window: 30d' },
      { kind: 'same', text: '' },
    ],
    templates: [
      { path: 'a.en.hbs', change: 'removed' },
      { path: 'b.en.hbs', change: 'changed' },
      { path: 'c.en.hbs', change: 'added' },
    ],
    workspace: false,
    workspaceLines: [],
  })
})

test('line ends of another system are no change, another workspace is one, by line where the version kept it', () => {
  const files = {
    campaign: source.replaceAll('\n', '\r\n'),
    workspace: WORKSPACE.replace('Tea', 'Coffee'),
    templates: { 'a.en.hbs': 'A', 'b.en.hbs': 'B' },
  }
  const changed = { campaign: [], templates: [], workspace: true }
  expect(changesSince(running, files)).toEqual({
    ...changed,
    workspaceLines: [
      { kind: 'same', text: 'version: 1' },
      { kind: 'del', text: 'name: Lantern Tea' },
      { kind: 'add', text: 'name: Lantern Coffee' },
      { kind: 'same', text: '' },
    ],
  })
  const older = { ...running, workspace_source: null }
  expect(changesSince(older, files)).toEqual({ ...changed, workspaceLines: [] })
})
