import { release } from 'node:os'

const [MAJOR, MINOR] = release().split('.').map(Number) as [number, number]

/** Whether this kernel is of that version, or later. */
export const kernelFrom = (major: number, minor: number) => MAJOR > major || (MAJOR === major && MINOR >= minor)
