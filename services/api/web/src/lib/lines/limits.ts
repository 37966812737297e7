// What of a line is put into a page. Copying always takes all of it.

/** Characters of a message in a row: a wide screen shows some 250, and wrapped rows stay rows. */
export const rowText = 1_000

/** Characters of a value in an expanded line before somebody asks for more. */
export const someText = 4_000

/** And then: layout of more than this makes a page slow to type in. */
export const allText = 200_000

/** Parts (signs, hits, text between them) of one value: binary is mostly signs, each an element. */
export const parts = 400

/** Fields of an expanded line that are shown at once; the next ones come as many at a time. */
export const fields = 100

/** Marks upon one letter. Writing needs three or four; towers of them reach over the lines above. */
export const marks = 6

/** Signs side by side that are shown one by one; of more, the number. */
export const signs = 4
