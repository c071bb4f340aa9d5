/** A command line without the directory of its program: what runs says more than where it lies. */
export const withoutDirectory = (command: string): string => command.replace(/^\S*\//, '')
