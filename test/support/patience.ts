import fc from 'fast-check'

/**
 * fc.assert for what takes long: a busy machine tries less and fails no more, and what fails is shrunk no longer. Once
 * its time is over nothing new is begun; what has begun is told to its end, for what went on behind the test's back (as
 * with fast-check's own limit) would be in the next one's way.
 */
export async function assertPatiently<Values>(
  property: fc.IAsyncProperty<Values>,
  { milliseconds, ...parameters }: fc.Parameters<Values> & { readonly milliseconds: number },
): Promise<void> {
  const end = Date.now() + milliseconds
  const run = property.run.bind(property)
  property.run = async (values) => (Date.now() < end ? await run(values) : null)
  await fc.assert(property, parameters)
}
