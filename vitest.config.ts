import { defineConfig } from 'vitest/config'

/** They use the ports that the documents name, all processors, or count what fails while a machine is busy with nothing else. */
const alone = [
  'test/*.test.ts',
  'test/{examples,handover,package,soak}/**/*.test.ts',
  'test/client/serve-race.test.ts',
  'test/daemon/handover.test.ts',
]

export default defineConfig({
  test: {
    // Tests count descriptors, processes and paths: a process for each file.
    pool: 'forks',
    setupFiles: ['test/support/every-test.ts'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'four at a time',
          include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
          exclude: alone,
          maxWorkers: 4,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: { name: 'alone', include: alone, maxWorkers: 1, fileParallelism: false, sequence: { groupOrder: 1 } },
      },
    ],
  },
})
