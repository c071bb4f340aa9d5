/** Where the store keeps socket `index` of a name. No name has a `#`. */
export function socketKey(name: string, index: number): string {
  return `${name}#${index}`
}

export function anchorKey(key: string): string {
  return `${key}.anchor`
}
