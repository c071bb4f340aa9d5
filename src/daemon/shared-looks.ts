// A slow look at something that many ask for. One goes on at a time, and the next is for all who asked meanwhile: it begins after each of
// them asked, and however much somebody asks, the others wait for two looks at most.

interface Wish<View> {
  view: Promise<View | undefined>
  resolve: (view: View | undefined) => void
  reject: (error: unknown) => void
  /** Of each who asked: whether he is there still. */
  wanted: (() => boolean)[]
}

export class SharedLooks<Key, Seen, View> {
  private readonly look: (keys: readonly Key[]) => Promise<Seen>
  private readonly show: (key: Key, seen: Seen) => Promise<View>
  private wishes = new Map<Key, Wish<View>>()
  private going = false

  /** `look` sees what is needed to `show` each of `keys`. */
  constructor(look: (keys: readonly Key[]) => Promise<Seen>, show: (key: Key, seen: Seen) => Promise<View>) {
    this.look = look
    this.show = show
  }

  /** Undefined when nobody who asked for it is there any more: then there was no look for them. */
  view(key: Key, wanted: () => boolean): Promise<View | undefined> {
    const wish = this.wishes.get(key) ?? newWish<View>()
    this.wishes.set(key, wish)
    wish.wanted.push(wanted)
    if (!this.going) void this.lookOn()
    return wish.view
  }

  private async lookOn(): Promise<void> {
    this.going = true
    while (this.wishes.size > 0) {
      const wishes = [...this.wishes]
      this.wishes = new Map()
      await this.fulfil(wishes)
    }
    this.going = false
  }

  private async fulfil(wishes: readonly (readonly [Key, Wish<View>])[]): Promise<void> {
    const living = wishes.filter(([, wish]) => isWanted(wish))
    for (const [, wish] of wishes) if (!isWanted(wish)) wish.resolve(undefined)
    if (living.length === 0) return
    try {
      const seen = await this.look(living.map(([key]) => key))
      for (const [key, wish] of living) wish.resolve(isWanted(wish) ? await this.show(key, seen) : undefined)
    } catch (error) {
      for (const [, wish] of living) wish.reject(error)
    }
  }
}

const isWanted = ({ wanted }: Pick<Wish<unknown>, 'wanted'>): boolean => wanted.some((is) => is())

function newWish<View>(): Wish<View> {
  const wish = { wanted: [] } as unknown as Wish<View>
  wish.view = new Promise((resolve, reject) => Object.assign(wish, { resolve, reject }))
  return wish
}
