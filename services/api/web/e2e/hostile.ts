// Lines that try to do harm, or to be in the way. Each has a mark of its own by which it is found.
export const hostile = (mark: string) => {
  const at = Date.now()
  const texts: Record<string, string> = {
    html: `<img src=x onerror="window.harmed=1"><b>bold</b> ${mark}`,
    script: `</script><script>window.harmed=1</script> ${mark}`,
    link: `<a href="javascript:window.harmed=1">click</a> javascript:window.harmed=1 ${mark}`,
    svelte: `{@html '<i>x</i>'} {{constructor.constructor('window.harmed=1')()}} ${mark}`,
    ansi: `\u001b[31mred\u001b[0m \u001b]0;title\u0007\u001b[2J ${mark}`,
    bidi: `user \u202Egnp.exe\u202C \u2066isolated\u2069 \u200bzero ${mark}`,
    rtl: `שלום עולם مرحبا ${mark}`,
    nul: `a\u0000b\u0001\u007f\ufffd\ud83d ${mark}`,
    lines: `first\nsecond\r\nthird ${mark}`,
    zalgo: `${`Z${'\u0335\u0301\u0316'.repeat(40)}`.repeat(20)} ${mark}`,
    wide: `${'x'.repeat(5000)} ${mark}`,
    quotes: `'"\`\${1}\\ ${mark}`,
  }
  return Object.entries(texts).map(([kind, message], i) => ({
    timestamp: new Date(at + i).toISOString(),
    level: 'error',
    service: `hostile-${mark}`,
    message,
    kind,
    ['__proto__']: 'own',
    constructor: 'own',
    '<b>name</b>': '<i>value</i>',
    'name\u202Ewith\u0000signs': '\u202Evalue',
  }))
}
