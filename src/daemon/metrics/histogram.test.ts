import fc from 'fast-check'
import { expect, it } from 'vitest'
import { DURATION_BUCKETS, Histogram } from './histogram.ts'

function observed(...seconds: number[]) {
  const histogram = new Histogram()
  for (const second of seconds) histogram.observe(second)
  return histogram.samples({ name: 'web' })
}

const bucket = (samples: ReturnType<typeof observed>, le: string) =>
  samples.find(({ labels }) => labels?.['le'] === le)?.value

it('says nothing before the first observation', () => {
  expect(observed()).toEqual([])
})

it('counts a time that is just a bucket’s bound in that bucket, and one beyond the last only in +Inf', () => {
  const samples = observed(0.05, 301)
  expect([bucket(samples, '0.01'), bucket(samples, '0.05'), bucket(samples, '300'), bucket(samples, '+Inf')]).toEqual([
    0, 1, 1, 2,
  ])
  expect(samples.slice(-2)).toEqual([
    { suffix: '_sum', labels: { name: 'web' }, value: 301.05 },
    { suffix: '_count', labels: { name: 'web' }, value: 2 },
  ])
})

it('has in each bucket all the observations up to its bound', () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 1000, noNaN: true }), { minLength: 1 }), (seconds) => {
      const samples = observed(...seconds)
      for (const most of DURATION_BUCKETS)
        expect(bucket(samples, String(most))).toBe(seconds.filter((second) => second <= most).length)
      expect(bucket(samples, '+Inf')).toBe(seconds.length)
    }),
  )
})
