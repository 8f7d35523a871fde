import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { expect, it } from 'vitest'
import { spellings } from '../../../src/contacts/addresses.ts'
import { scrubRejects } from '../../../src/contacts/privacy/scrub.ts'
import { file } from '../files.ts'

const PERSON = {
  names: ['q"7', '张伟'],
  email: 'chan@shop.example',
  phones: spellings('+85291234567', ['852']),
}

const THEIRS = [
  // A country of eight digits, without it.
  '4,there is no external_id,",a@shop.example,9123 4567"',
  '5,there is no external_id,",a@shop.example,+852 9123-4567"',
  '6,there is no external_id,",a@shop.example,９１２３４５６７"',
  // Quoted twice in CSV, escaped and quoted in NDJSON.
  '7,"warning: x","""q""""7"",bademail"',
  '8,"warning: x","{""external_id"": ""q\\""7""}"',
  '9,"warning: x","{""external_id"": ""\\u5f20\\u4f1f""}"',
]

it('finds the person however a file wrote them, and leaves the rest', async () => {
  const others = 'line,reason,row\n4,there is no external_id,",b@shop.example,9123 4568"\n'
  const path = file('bad.csv', `${others}${THEIRS.join('\n')}\n`)
  expect(await scrubRejects(path, PERSON)).toBe(THEIRS.length)
  expect(readFileSync(path, 'utf8')).toBe(others)
})

it('rewrites what a link leads to, reads no device, and says what it could not rewrite', async () => {
  const path = file('bad.csv', `line,reason,row\n${THEIRS[0]}\n`)
  const [link, device] = [`${path}.link`, `${path}.device`]
  symlinkSync(path, link)
  symlinkSync('/dev/zero', device)
  expect(await scrubRejects(device, PERSON)).toBe(0)
  expect(await scrubRejects(`${path}.none`, PERSON)).toBeUndefined()
  mkdirSync(`${path}.erasing`)
  await expect(scrubRejects(link, PERSON)).rejects.toMatchObject({
    code: 'erase.rejects',
    message: expect.stringContaining('cannot be looked through'),
    remedy: expect.stringContaining('erase again'),
  })
  rmSync(`${path}.erasing`, { recursive: true })
  expect(await scrubRejects(link, PERSON)).toBe(1)
  expect(readFileSync(path, 'utf8')).toBe('line,reason,row\n')
  expect(existsSync(`${path}.erasing`)).toBe(false)
})
