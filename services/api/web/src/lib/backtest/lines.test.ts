import { expect, it } from 'vitest'
import { lines } from './lines'

it('gives lines, however the bytes are cut', async () => {
  const bytes = new TextEncoder().encode('{"a":"é"}\n\n{"b":2}\nlast')
  for (const size of [1, 3, 100]) {
    const stream = new ReadableStream<Uint8Array>({
      start(c) {
        for (let i = 0; i < bytes.length; i += size) c.enqueue(bytes.slice(i, i + size))
        c.close()
      },
    })
    const got: string[] = []
    for await (const line of lines(stream)) got.push(line)
    expect(got).toEqual(['{"a":"é"}', '{"b":2}', 'last'])
  }
})
