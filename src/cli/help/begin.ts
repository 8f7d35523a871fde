/** What `winback init` says of itself. */
export const BEGIN: Readonly<Record<string, string>> = {
  'Write a commented workspace, a campaign and its templates': '生成带注释的工作区、一个活动及其模板',
  'Writes winback.yaml, campaigns/graded-recall.yaml, templates/ and the schemas editors check them by':
    '写入 winback.yaml、campaigns/graded-recall.yaml、templates/，以及供编辑器校验的 schema',
  'Nothing that exists is overwritten without --force': '不加 --force 不会覆盖任何已有文件',
  'the folder to write into': '写入的文件夹',
  'the name recipients read (default: the folder’s)': '收件人看到的名称（默认：文件夹名）',
  'IANA zone (default: this machine’s)': 'IANA 时区（默认：本机时区）',
  'graded-recall, at-risk, unhappy, renewal (default: the first); repeatable':
    'graded-recall、at-risk、unhappy、renewal（默认：第一个）；可重复',
  'overwrite files that exist': '覆盖已有文件',
  'into the current folder': '写入当前文件夹',
  'into the folder shop, made if need be': '写入文件夹 shop，没有则新建',
  'with other campaigns than the default': '换用其他活动',
}
