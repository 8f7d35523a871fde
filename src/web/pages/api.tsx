import { Hono } from 'hono'
import { bracketed } from '../../reports/words.ts'
import { openapiDocument } from '../openapi/document.ts'
import { type Field, fieldsOf } from '../openapi/fields.ts'
import { AREAS, OPERATIONS, type Operation, REFUSED, refusalsOf } from '../openapi/operations.ts'
import { meaningIn, typeIn } from './api-words.ts'
import { Table } from './parts.tsx'
import { SCOPE_WORDS } from './scope-words.ts'
import { type PagesDependencies, page, type Visit } from './visit.ts'

// The API as people read it: the same document that programs fetch, without anybody else's viewer.

/** The API's own version: the one in its paths. */
const VERSION = '1'

interface Described {
  readonly parameters: readonly {
    name: string
    in: 'path' | 'query' | 'header'
    required: boolean
    description?: string
    schema: object
  }[]
  readonly requestBody?: {
    readonly content: Readonly<Record<string, { schema: unknown; example?: unknown }>>
  }
  readonly responses: Readonly<Record<string, { content: Readonly<Record<string, { schema: unknown }>> }>>
}
interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Described>>>>
}

export function apiPages(dependencies: PagesDependencies): Hono {
  const document = openapiDocument({ version: VERSION, url: dependencies.runtime.workspace.web.url })
  return new Hono()
    .get('/openapi.json', (c) => c.json(document))
    .get(
      '/api',
      page(dependencies, 'operate', async (visit) => {
        const { say, language } = visit
        const { paths } = document as unknown as Document
        return await visit.show(
          'API',
          <>
            <p>
              {say('Programs send a key as', '程序携带密钥的方式：')} <code>Authorization: Bearer KEY</code>
              {say(
                '. An admin makes keys in Settings. The same, for programs:',
                '；密钥由管理员在“设置”中创建。供程序读取的版本：',
              )}{' '}
              <a href="/openapi.json">openapi.json</a> (OpenAPI 3.1)
            </p>
            {Object.entries(AREAS).map(([area, words]) => (
              <section aria-label={words[language]}>
                <h2>{words[language]}</h2>
                {Object.entries(OPERATIONS)
                  .filter(([, operation]) => operation.area === area)
                  .map(([route, operation]) => {
                    const [method = '', path = ''] = route.split(' ')
                    const described = paths[path]?.[method.toLowerCase()]
                    return (
                      described && (
                        <OperationView
                          visit={visit}
                          route={route}
                          operation={operation}
                          described={described}
                        />
                      )
                    )
                  })}
              </section>
            ))}
          </>,
        )
      }),
    )
}

function OperationView(props: { visit: Visit; route: string; operation: Operation; described: Described }) {
  const { visit, route, operation, described } = props
  const { say, language } = visit
  const { scope } = operation
  const [type = '', body] = Object.entries(described.requestBody?.content ?? {})[0] ?? []
  const [answerType = '', answer] = Object.entries(described.responses['200']?.content ?? {})[0] ?? []
  return (
    <details class="card">
      <summary>
        <code>{route}</code> {operation.summary[language]}
      </summary>
      <p class="soft">
        {scope === null
          ? say('No key.', '无需密钥。')
          : `${say('A key with the scope', '所需的密钥权限')} ${scope}${say(': ', '：')}${SCOPE_WORDS[scope][language]}`}
      </p>
      {described.parameters.length === 0 ? null : (
        <Fields
          visit={visit}
          title={say('Parameters', '参数')}
          fields={described.parameters.map((each) => ({
            path: { path: `{${each.name}}`, query: `?${each.name}`, header: `${each.name}:` }[each.in],
            type: fieldsOf(each.schema, each.name)[0]?.type ?? '',
            required: each.required,
            description: each.description ?? '',
          }))}
        />
      )}
      {body === undefined ? null : (
        <Fields
          visit={visit}
          title={say('Body', '请求体') + bracketed(type, visit)}
          fields={fieldsOf(body.schema)}
        />
      )}
      {body?.example === undefined ? null : (
        <section aria-label={say('Example', '示例')} tabindex={0}>
          <pre>{JSON.stringify(body.example, null, 2)}</pre>
        </section>
      )}
      <Fields
        visit={visit}
        title={`${say('Answer', '返回')} 200${bracketed(answerType, visit)}`}
        fields={fieldsOf(answer?.schema)}
      />
      <p class="soft">
        {refusalsOf(operation)
          .map((status) => `${status} ${REFUSED[status][language]}`)
          .join(' · ')}
      </p>
    </details>
  )
}

function Fields({ visit, title, fields }: { visit: Visit; title: string; fields: readonly Field[] }) {
  const { say, language } = visit
  if (fields.length === 0) return <h3>{title}</h3>
  return (
    <>
      <h3>{title}</h3>
      <Table
        label={title}
        columns={[
          { title: say('Field', '字段') },
          { title: say('Type', '类型') },
          { title: say('Meaning', '含义') },
        ]}
        rows={fields.map(({ path, type, required, description }) => [
          <code>{path}</code>,
          typeIn(language, type),
          <>
            {required ? null : <span class="tag">{say('optional', '可选')}</span>}{' '}
            {meaningIn(language, description)}
          </>,
        ])}
      />
    </>
  )
}
