/** As rows of a table of five columns. */
export function connectionRows({ made, tcp, unix, perSecond, slowest }) {
  return [
    ['connections', made, '', '', slowest],
    ['of them a second', Math.round(perSecond), '', '', ''],
    ['failed by TCP', tcp.failed, '', '', ''],
    ['failed by Unix', unix.failed, '', '', ''],
  ]
}

export function faultsOf({ made, tcp, unix, errors }) {
  const failed = tcp.failed + unix.failed
  return failed === 0 ? [] : [`${failed} of ${made} connections failed: ${JSON.stringify(errors)}`]
}
