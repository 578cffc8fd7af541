"""The one script of the page: it writes what `words.py` sends."""

SCRIPT = """
{
  const shown = new WeakMap()
  const told = (s) => {
    for (const [unit, n] of [["d", 86400], ["h", 3600], ["min", 60]])
      if (s >= 2 * n) return `${Math.round(s / n)} ${unit}`
    return `${Math.round(Math.max(s, 0))} s`
  }
  globalThis.write_words = (model) => {
    const element = Bokeh.index.find_one(model)?.markup_el
    if (element == null) return
    if (shown.get(element) !== model.tags[0]) {
      element.innerHTML = model.tags[0]
      shown.set(element, model.tags[0])
      for (const one of element.querySelectorAll("time")) one.since = performance.now() - 1000 * Number(one.dataset.age)
    }
    for (const one of element.querySelectorAll("time")) {
      const text = told((performance.now() - one.since) / 1000)
      if (one.textContent !== text) one.textContent = text
    }
  }
  let words = []
  setInterval(() => {
    const document = globalThis.Bokeh?.documents?.[0]
    if (document == null) return
    if (words.length === 0)
      words = [...document._all_models.values()].filter((model) => model.tags?.length && model.type === "Div")
    for (const model of words) write_words(model)
  }, 500)
}
"""
"""Of the page: writes what came while a look was not there yet, and counts ages up."""
