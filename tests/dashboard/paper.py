"""What a page looks like on paper, read from the browser: texts of elements and of canvases."""

HOOK = """
globalThis.painted = new Map()
for (const method of ["fillText", "clearRect"]) {
  const own = CanvasRenderingContext2D.prototype[method]
  CanvasRenderingContext2D.prototype[method] = function(...given) {
    if (method === "clearRect") painted.set(this.canvas, [])
    else {
      const [text, x, y] = given, to = this.getTransform(), measure = this.measureText(text)
      const corners = [[-measure.actualBoundingBoxLeft, -measure.actualBoundingBoxAscent],
        [measure.actualBoundingBoxRight, measure.actualBoundingBoxDescent]]
        .map(([dx, dy]) => to.transformPoint(new DOMPoint(x + dx, y + dy)))
      const scale = Math.hypot(to.a, to.b)
      painted.get(this.canvas)?.push({text: String(text), px: parseFloat(this.font.match(/([\\d.]+)px/)[1]) * scale,
        colour: this.fillStyle, xs: corners.map((one) => one.x), ys: corners.map((one) => one.y)})
    }
    return own.apply(this, given)
  }
}
"""
"""Before a page is opened: keeps the texts that stand on each canvas. Pixels are those of CSS, with a ratio of 1."""

TEXTS = """(() => {
  const found = []
  const luminance = (colour) => {
    const probe = document.createElement("canvas").getContext("2d", {willReadFrequently: true})
    probe.fillStyle = colour
    probe.fillRect(0, 0, 1, 1)
    const [r, g, b] = [...probe.getImageData(0, 0, 1, 1).data].map((one) => one / 255)
      .map((one) => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  const onWhite = new Map()
  const contrast = (colour) => {
    if (!onWhite.has(colour)) onWhite.set(colour, 1.05 / (luminance(colour) + 0.05))
    return onWhite.get(colour)
  }
  const add = (text, px, colour, cut) => found.push({text, px, contrast: contrast(colour), cut})
  const part = (at, size) => Math.max(...at) > 0 && Math.min(...at) < size  // what was moved away is not seen
  const cut = (at, size) => Math.min(...at) < -1 || Math.max(...at) > size + 1
  const beyond = (box) => box.left < -1 || box.right > innerWidth + 1
  const outside = (box, clips) => clips.some((clip) =>
    box.left < clip.left - 1 || box.right > clip.right + 1 || box.top < clip.top - 1 || box.bottom > clip.bottom + 1)
  const walk = (node, clips) => {
    for (const one of node.childNodes) {
      if (one.nodeType === Node.TEXT_NODE && one.textContent.trim()) {
        const range = document.createRange()
        range.selectNodeContents(one)
        const holder = one.parentElement ?? one.getRootNode().host
        const style = getComputedStyle(holder)
        if (holder.matches("style, script, option, title")) continue
        for (const box of range.getClientRects())
          if (box.width) add(one.textContent.trim(), parseFloat(style.fontSize), style.color,
            beyond(box) || outside(box, clips))
      }
      if (one.nodeType !== Node.ELEMENT_NODE) continue
      const {display, visibility, overflow} = getComputedStyle(one)
      if (display === "none" || visibility === "hidden") continue
      const box = one.getBoundingClientRect()
      if (one.matches("canvas") && !painted.has(one)) add("a canvas that is not painted on paper", 0, "black", true)
      if (one.matches("canvas"))
        for (const text of painted.get(one) ?? [])
          if (text.text.trim() && part(text.xs, one.width) && part(text.ys, one.height))
            add(text.text, text.px, text.colour, beyond(box) || cut(text.xs, one.width) || cut(text.ys, one.height))
      const inner = overflow === "visible" ? clips : [...clips, box]
      if (one.shadowRoot) walk(one.shadowRoot, inner)
      walk(one, inner)
    }
  }
  walk(document.body, [])
  return found
})()"""
"""Every text in sight: its size in CSS pixels, its contrast to white, whether the page or what holds it cuts it off."""
