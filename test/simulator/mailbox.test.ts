import { createTransport } from 'nodemailer'
import { expect, test } from 'vitest'
import { manualClock } from '../../src/clock.ts'
import { openMailbox } from '../../src/simulator/mailbox.ts'
import { drawPopulation } from '../../src/simulator/population.ts'

test('takes mail to the people it knows, at the time of the simulation, and refuses the rest', async () => {
  const start = new Date('2026-01-05T01:00:00Z')
  const population = drawPopulation({ seed: 1, size: 400, start })
  const clock = manualClock(start)
  const mailbox = await openMailbox(population, clock)
  const transport = createTransport({ host: '127.0.0.1', port: mailbox.port, ignoreTLS: true })
  const send = (to: string) =>
    transport.sendMail({ from: 'shop@example.com', to, subject: 'Hi', text: 'Hello' })
  try {
    const known = population.people.find((person) => person.email !== null && person.mailbox)
    const gone = population.people.find((person) => person.email !== null && !person.mailbox)
    if (!known?.email || !gone?.email) throw new Error('nobody like that')
    clock.advance(3600)
    await send(known.email.toUpperCase())
    await expect(send(gone.email)).rejects.toMatchObject({ responseCode: 550 })
    const [arrival, ...others] = mailbox.take()
    expect(arrival).toMatchObject({ externalId: known.externalId, at: start.getTime() + 3_600_000 })
    expect(arrival?.raw.toString()).toContain('\r\nHello')
    expect(others).toEqual([])
    expect(mailbox.take()).toEqual([])
    expect(mailbox.counts()).toEqual({ arrived: 1, refused: 1 })
  } finally {
    transport.close()
    await mailbox.close()
  }
})
