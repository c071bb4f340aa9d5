export class Http2Client {
  readonly told: boolean
  readonly goaways: number[]
  constructor(port: number)
  request(): Promise<boolean>
  close(): void
}
