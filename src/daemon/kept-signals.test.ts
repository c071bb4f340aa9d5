import { expect, it } from 'vitest'
import { KeptSignals } from './kept-signals.ts'
import type { Signals, StopSignal } from './signals.ts'

function stage() {
  let direct = (_signal: StopSignal) => {}
  const own: Signals = {
    onStop: (stop) => {
      direct = stop
      return () => {}
    },
    onHangup: () => () => {},
    onDebug: () => () => {},
  }
  const signals = new KeptSignals(own)
  const heard: string[] = []
  signals.onStop((signal) => heard.push(signal))
  signals.onHangup(() => heard.push('SIGHUP'))
  return { signals, heard, direct: (signal: StopSignal) => direct(signal) }
}

it('a stop that reaches both the keeper and the broker is one stop', () => {
  const { signals, heard, direct } = stage()
  direct('SIGTERM')
  signals.passed('SIGTERM')
  expect(heard).toEqual(['SIGTERM'])
  signals.passed('SIGTERM')
  expect(heard).toEqual(['SIGTERM', 'SIGTERM'])
})

it.each(['passed', 'direct'] as const)('two stops of one way are two: %s', (way) => {
  const { signals, heard, direct } = stage()
  for (let times = 0; times < 2; times++) way === 'passed' ? signals.passed('SIGINT') : direct('SIGINT')
  expect(heard).toEqual(['SIGINT', 'SIGINT'])
})

it('SIGHUP to the keeper is the broker’s', () => {
  const { signals, heard } = stage()
  signals.passed('SIGHUP')
  expect(heard).toEqual(['SIGHUP'])
})
