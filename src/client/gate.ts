/** Something that happens once, and those who wait for it. */
export class Gate {
  isOpen = false
  open: () => void = () => {}
  readonly opened: Promise<void> = new Promise((resolve) => {
    this.open = () => {
      this.isOpen = true
      resolve()
    }
  })
}
